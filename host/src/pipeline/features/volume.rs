//! What the traded volume says.

use super::{
    catalogue::{CHANGES, Defaults, Kind, NONE, Prices, WINDOW, model},
    window::{direction, mean, ratio, rolling, undefined, zip},
};

pub(super) static KINDS: &[Kind] = &[
    model("OBV", &[], "running total of volume signed by the close's change", (NONE, obv)).level(Some("OBV_SLOPE")),
    model("OBV_SLOPE", &[20], "change of OBV in % of the volume traded; 0 without volume", (CHANGES, obv_slope))
        .down_to_one(),
    model("MFI", &[14], "share of money flowing in, %; 0 where none flows", (CHANGES, mfi)),
    model("VOLUME_RATIO", &[20], "volume beside its mean; 1 where nothing was traded", (WINDOW, volume_ratio)),
];

pub(super) static DEFAULTS: Defaults = &[("OBV", &[]), ("OBV_SLOPE", &[20]), ("MFI", &[14]), ("VOLUME_RATIO", &[20])];

/// On-balance volume from the first bar on: its level depends on where the bars start.
fn obv(prices: &Prices, _: &[usize]) -> Vec<f64> {
    let mut total = prices.volume.first().copied().unwrap_or(0.0);
    let mut out: Vec<f64> = prices.volume.iter().take(1).copied().collect();
    out.extend(signed_volume(prices).into_iter().map(|volume| {
        total += volume;
        total
    }));
    out
}

/// Change of on-balance volume over `n` bars in percent of the volume traded in them; 0 without volume.
fn obv_slope(prices: &Prices, p: &[usize]) -> Vec<f64> {
    let mut out = undefined(p[0], prices.close.len());
    let signed = signed_volume(prices);
    let traded = prices.volume.get(1..).unwrap_or_default();
    out.extend(
        signed
            .windows(p[0])
            .zip(traded.windows(p[0]))
            .map(|(signed, traded)| 100.0 * ratio(signed.iter().sum(), traded.iter().sum(), 0.0, 0.0)),
    );
    out
}

/// Volume of each bar but the first, with the sign of its close's change.
fn signed_volume(prices: &Prices) -> Vec<f64> {
    let changes = prices.close.windows(2).zip(prices.volume.iter().skip(1));
    changes.map(|(pair, volume)| direction(pair[0], pair[1]) * volume).collect()
}

/// Share of money that flowed in at rising typical prices. Source: TA-Lib's MFI; 0 where less than 1 flowed.
fn mfi(prices: &Prices, p: &[usize]) -> Vec<f64> {
    let typical = prices.typical();
    let changes = typical.windows(2).zip(prices.volume.iter().skip(1));
    let flows: Vec<f64> = changes.map(|(pair, volume)| direction(pair[0], pair[1]) * pair[1] * volume).collect();
    let mut out = undefined(1, typical.len());
    out.extend(rolling(&flows, p[0], |window| {
        let inflow: f64 = window.iter().filter(|flow| **flow > 0.0).sum();
        let all: f64 = window.iter().map(|flow| flow.abs()).sum();
        if all < 1.0 { 0.0 } else { 100.0 * inflow / all }
    }));
    out
}

/// Volume beside its own average; 1 where nothing was traded.
fn volume_ratio(prices: &Prices, p: &[usize]) -> Vec<f64> {
    let average = rolling(prices.volume, p[0], mean);
    zip(prices.volume, &average, |volume, average| ratio(volume, average, 0.0, 1.0))
}
