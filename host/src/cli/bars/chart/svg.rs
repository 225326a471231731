//! Candles as a picture: prices above, volume below, suspected splits marked.

use std::fmt::Write;

use super::{Candle, candles, price, price_range, ticks};
use oculus_job::request::Timeframe;
use oculus_pipeline::bars::{Bars, Split, moment};

const WIDTH: f64 = 1200.0;
const HEIGHT: f64 = 640.0;
const LEFT: f64 = 24.0;
const RIGHT: f64 = 1120.0;
const TOP: f64 = 64.0;
const PRICES_END: f64 = 460.0;
const VOLUMES_START: f64 = 490.0;
const VOLUMES_END: f64 = 590.0;
const MOST_CANDLES: usize = 360;
const N_DATES: usize = 7;
const RISE: &str = "#1a8f6f";
const FALL: &str = "#c8443c";
const STYLE: &str = "text{font:13px sans-serif;fill:#4a5360}.title{font-size:20px;font-weight:600;fill:#1b2430}\
                     .grid{stroke:#e6e9ee}.split{stroke:#8a5cc2;stroke-dasharray:4 3}.mark{fill:#8a5cc2;font-size:12px}";

/// The picture of one symbol.
pub fn draw(bars: &Bars, timeframe: Timeframe, splits: &[Split]) -> String {
    let candles = candles(bars, timeframe, MOST_CANDLES);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\">\
         <style>{STYLE}</style><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    let when = |time: Option<&i64>| time.map(|&time| moment(time, timeframe)).unwrap_or_default();
    let (first, last) = (when(bars.time.first()), when(bars.time.last()));
    let per_candle = bars.len().div_ceil(MOST_CANDLES).max(1);
    let each = if per_candle > 1 { format!(", {per_candle} bars a candle") } else { String::new() };
    let symbol = &bars.symbol;
    let count = bars.len();
    put(&mut svg, &format!("<text class=\"title\" x=\"{LEFT}\" y=\"34\">{symbol}</text>"));
    let told = format!("{} · {count} bars from {first} to {last}{each}", timeframe.name());
    put(&mut svg, &format!("<text x=\"{RIGHT}\" y=\"34\" text-anchor=\"end\">{told}</text>"));
    if !candles.is_empty() {
        body(&mut svg, &candles, splits);
    }
    svg.push_str("</svg>\n");
    svg
}

fn body(svg: &mut String, candles: &[Candle], splits: &[Split]) {
    let step = (RIGHT - LEFT) / candles.len() as f64;
    let x_of = |idx: usize| LEFT + (idx as f64 + 0.5) * step;
    let (low, high) = price_range(candles);
    let y_of = |price: f64| PRICES_END - (price - low) / (high - low) * (PRICES_END - TOP);
    for tick in ticks(low, high, 6) {
        let y = y_of(tick);
        put(svg, &format!("<line class=\"grid\" x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>"));
        put(svg, &format!("<text x=\"{:.1}\" y=\"{:.1}\">{}</text>", RIGHT + 8.0, y + 4.0, price(tick)));
    }
    for idx in (0..candles.len()).step_by(candles.len().div_ceil(N_DATES).max(1)) {
        let (x, when) = (x_of(idx), candles[idx].when.replace('T', " ").replace(":00Z", ""));
        put(svg, &format!("<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{VOLUMES_END}\"/>"));
        put(svg, &format!("<text x=\"{x:.1}\" y=\"{:.1}\">{when}</text>", VOLUMES_END + 22.0));
    }
    let most_volume = candles.iter().map(|candle| candle.volume).fold(f64::MIN_POSITIVE, f64::max);
    let width = (step * 0.7).max(0.6);
    for (idx, candle) in candles.iter().enumerate() {
        let (x, colour) = (x_of(idx), if candle.close < candle.open { FALL } else { RISE });
        let (top, bottom) = (y_of(candle.open.max(candle.close)), y_of(candle.open.min(candle.close)));
        let (high, low, left) = (y_of(candle.high), y_of(candle.low), x - width / 2.0);
        let body = (bottom - top).max(1.0);
        let volume = candle.volume / most_volume * (VOLUMES_END - VOLUMES_START);
        let y = VOLUMES_END - volume;
        put(
            svg,
            &format!(
                "<g fill=\"{colour}\"><rect x=\"{:.2}\" y=\"{high:.1}\" width=\"1\" height=\"{:.1}\"/>\
                 <rect x=\"{left:.2}\" y=\"{top:.1}\" width=\"{width:.2}\" height=\"{body:.1}\"/>\
                 <rect x=\"{left:.2}\" y=\"{y:.1}\" width=\"{width:.2}\" height=\"{volume:.1}\" opacity=\"0.45\"/></g>",
                x - 0.5,
                (low - high).max(1.0)
            ),
        );
    }
    put(svg, &format!("<text x=\"{:.1}\" y=\"{VOLUMES_START}\">volume</text>", RIGHT + 8.0));
    for Split { bar, old, new } in splits {
        let x = x_of(candles.partition_point(|candle| candle.first_bar <= *bar).saturating_sub(1));
        put(svg, &format!("<line class=\"split\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{PRICES_END}\"/>"));
        let mark =
            format!("<text class=\"mark\" x=\"{:.1}\" y=\"{:.1}\">split {new}:{old}?</text>", x + 5.0, TOP + 10.0);
        put(svg, &mark);
    }
}

/// Writing to a string cannot fail.
fn put(svg: &mut String, element: &str) {
    let _ = writeln!(svg, "{element}");
}
