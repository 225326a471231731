//! A strategy's worth as a picture: beside it the market at equal exposure and all the time, and where the test begins.
//!
//! Each part begins at 1, so a line of each part says what came of the same capital there.

use std::fmt::Write;

use oculus_pipeline::{date::iso_date, strategy::EquityPoint};

const WIDTH: f64 = 1200.0;
const HEIGHT: f64 = 520.0;
const LEFT: f64 = 24.0;
const RIGHT: f64 = 1120.0;
const TOP: f64 = 84.0;
const BOTTOM: f64 = 470.0;
const N_DATES: usize = 7;
/// Grid lines to aim at.
const N_WORTHS: f64 = 6.0;
const STYLE: &str = "text{font:13px sans-serif;fill:#4a5360}.title{font-size:20px;font-weight:600;fill:#1b2430}\
                     .grid{stroke:#e6e9ee}.test{stroke:#8a5cc2;stroke-dasharray:4 3}.mark{fill:#8a5cc2;font-size:12px}\
                     polyline{fill:none;stroke-linejoin:round}";

/// A line of the picture.
struct Line {
    name: &'static str,
    colour: &'static str,
    width: f64,
    worth: fn(&EquityPoint) -> f64,
}

/// Drawn in this order, so that the strategy lies on top.
const LINES: [Line; 3] = [
    Line { name: "always in", colour: "#b3bac5", width: 1.2, worth: |point| point.always_in },
    Line { name: "market at equal exposure", colour: "#d08a2e", width: 1.4, worth: |point| point.buy_and_hold },
    Line { name: "strategy", colour: "#1a8f6f", width: 2.0, worth: |point| point.strategy },
];

/// The picture of a course, one point a date.
pub(super) fn draw(equity: &[EquityPoint]) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\">\
         <style>{STYLE}</style><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    put(&mut svg, &format!("<text class=\"title\" x=\"{LEFT}\" y=\"34\">worth of 1, development and test</text>"));
    for (idx, line) in LINES.iter().rev().enumerate() {
        let (x, Line { name, colour, .. }) = (LEFT + 230.0 * idx as f64, line);
        put(&mut svg, &format!("<rect x=\"{x}\" y=\"54\" width=\"18\" height=\"4\" fill=\"{colour}\"/>"));
        put(&mut svg, &format!("<text x=\"{}\" y=\"60\">{name}</text>", x + 26.0));
    }
    if !equity.is_empty() {
        body(&mut svg, equity);
    }
    svg.push_str("</svg>\n");
    svg
}

fn body(svg: &mut String, equity: &[EquityPoint]) {
    let worths = || equity.iter().flat_map(|point| LINES.iter().map(|line| (line.worth)(point)));
    let (low, high) = (worths().fold(0.99, f64::min), worths().fold(1.01, f64::max));
    let y_of = |worth: f64| BOTTOM - (worth - low) / (high - low) * (BOTTOM - TOP);
    let x_of = |idx: usize| LEFT + (idx as f64 + 0.5) * (RIGHT - LEFT) / equity.len() as f64;
    for worth in round_worths(low, high) {
        let y = y_of(worth);
        put(svg, &format!("<line class=\"grid\" x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>"));
        put(svg, &format!("<text x=\"{:.1}\" y=\"{:.1}\">{worth:.2}</text>", RIGHT + 8.0, y + 4.0));
    }
    for idx in (0..equity.len()).step_by(equity.len().div_ceil(N_DATES).max(1)) {
        let (x, date) = (x_of(idx), iso_date(equity[idx].day));
        put(svg, &format!("<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{BOTTOM}\"/>"));
        put(svg, &format!("<text x=\"{x:.1}\" y=\"{:.1}\">{date}</text>", BOTTOM + 22.0));
    }
    let test_start = equity.partition_point(|point| !point.is_test);
    for Line { colour, width, worth, .. } in &LINES {
        for part in [0..test_start, test_start..equity.len()] {
            let points: Vec<String> =
                part.map(|idx| format!("{:.1},{:.1}", x_of(idx), y_of(worth(&equity[idx])))).collect();
            let points = points.join(" ");
            put(svg, &format!("<polyline stroke=\"{colour}\" stroke-width=\"{width}\" points=\"{points}\"/>"));
        }
    }
    if test_start < equity.len() {
        let x = x_of(test_start);
        put(svg, &format!("<line class=\"test\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{BOTTOM}\"/>"));
        put(svg, &format!("<text class=\"mark\" x=\"{:.1}\" y=\"{:.1}\">test</text>", x + 5.0, TOP + 10.0));
    }
}

/// Round numbers between two worths, about as many as grid lines are wanted.
fn round_worths(low: f64, high: f64) -> Vec<f64> {
    let rough = (high - low) / N_WORTHS;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0].map(|round| round * power).into_iter().find(|step| *step >= rough);
    let step = step.unwrap_or(10.0 * power);
    let first = (low / step).ceil();
    (0..=2 * N_WORTHS as usize).map(|idx| (first + idx as f64) * step).take_while(|worth| *worth <= high).collect()
}

/// Writing to a string cannot fail.
fn put(svg: &mut String, element: &str) {
    let _ = writeln!(svg, "{element}");
}
