"""Parquet files of bars as pandas and pyarrow write them, of the first sixty rows of examples/bars/AAPL.csv.

    pip install pandas==3.1.1 pyarrow==26.0.1
    python make.py

Each holds the same bars; the intraday one has the dates at 14:30 UTC.
"""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

N_ROWS = 60
here = Path(__file__).parent
bars = pd.read_csv(here / "../../../../../examples/bars/AAPL.csv", nrows=N_ROWS)
dates = pd.to_datetime(bars["date"])


def pandas_default() -> None:
    """What `to_parquet` makes of an index of dates: timestamps without a zone, snappy, dictionaries."""
    frame = bars.drop(columns="date").rename(columns=str.capitalize)
    frame.index = dates.astype("datetime64[ns]").rename("Date")
    frame["Symbol"] = pd.Categorical(["AAPL"] * N_ROWS)
    frame.to_parquet(here / "pandas_default.parquet")


def pandas_zoned() -> None:
    """Intraday: nanoseconds in UTC, zstd."""
    frame = bars.drop(columns="date")
    moments = dates + pd.Timedelta(hours=14, minutes=30)
    frame.insert(0, "timestamp", moments.astype("datetime64[ns]").dt.tz_localize("UTC"))
    frame.to_parquet(here / "pandas_zoned.parquet", index=False, compression="zstd")


def pandas_new_york() -> None:
    """Daily bars that start at midnight in New York, gzip."""
    frame = bars.rename(columns={"date": "timestamp"})
    frame["timestamp"] = dates.dt.tz_localize("America/New_York")
    frame.to_parquet(here / "pandas_new_york.parquet", index=False, compression="gzip")


def pandas_paris() -> None:
    """Daily bars that start at midnight in Paris, as yfinance returns those of a French share."""
    frame = bars.drop(columns="date")
    frame.index = dates.astype("datetime64[s]").dt.tz_localize("Europe/Paris").rename("Date")
    frame.to_parquet(here / "pandas_paris.parquet")


def arrow_dates() -> None:
    """Days, prices of 64 bits, volumes as whole numbers, several row groups, pages of version 2, brotli, columns turned round."""
    columns = {"date": pa.array(dates.dt.date, pa.date32())}
    columns |= {name: pa.array(bars[name], pa.float64()) for name in ["open", "high", "low", "close"]}
    columns["volume"] = pa.array(bars["volume"], pa.int64())
    table = pa.table(dict(reversed(columns.items())))
    pq.write_table(
        table, here / "arrow_dates.parquet", compression="brotli", row_group_size=25, data_page_version="2.0"
    )


def arrow_plain() -> None:
    """Milliseconds as whole numbers, no dictionaries, no compression."""
    columns = {"TIMESTAMP": pa.array(dates.astype("datetime64[ms]").astype("int64"), pa.int64())}
    columns |= {name: pa.array(bars[name], pa.float64()) for name in ["open", "high", "low", "close", "volume"]}
    pq.write_table(pa.table(columns), here / "arrow_plain.parquet", compression="none", use_dictionary=False)


for make in [pandas_default, pandas_zoned, pandas_new_york, pandas_paris, arrow_dates, arrow_plain]:
    make()
