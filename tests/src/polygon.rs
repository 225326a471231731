//! A market-data server with Polygon's API and real bars, which records requests and simulates
//! faults of networks and servers.
//!
//! The bars of `examples/bars` are moved to the weekdays up to yesterday in New York, because the
//! binary requests dates relative to today. Responses are written to the socket directly, so that a
//! fault can truncate them anywhere.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::SystemTime;

use oculus_market_data::polygon::calendar::Calendar;
use oculus_pipeline::date::{days_since_epoch, iso_date};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::{SOON, eventually, jobs};

/// The key that the server accepts.
pub const KEY: &str = "key-hunter2-of-the-tests";
/// Number of five-minute bars in a session.
const BARS_PER_SESSION: usize = 78;

/// A fault of one response.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// The connection breaks in the middle of the body.
    CutOff,
    /// The body ends in the middle, with a matching content length.
    Truncated,
    /// The page states one bar more than it has.
    Miscounted,
    /// The bars of the page are not in order.
    Shuffled,
    /// The page repeats the bars of the page before.
    Repeated,
    /// The server does not respond.
    Silence,
    /// A status, header lines, and a body.
    Status(u16, &'static str, &'static str),
    /// The page names this address as the next page.
    NextAt(String),
}

/// A recorded request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    /// Path and query.
    pub target: String,
    /// Ticker of a request for bars; `None` for other requests.
    pub symbol: Option<String>,
    /// Page of the requested span, counted from 1; 0 for other requests.
    pub page: usize,
    /// True if the header of the request contains the key.
    pub has_key: bool,
}

/// A bar in Polygon's form: start in seconds since 1970-01-01 UTC, open, high, low, close, volume.
type Bar = (i64, [f64; 5]);

#[derive(Default)]
struct State {
    /// Bars by ticker and unit, such as `1/day`.
    bars: BTreeMap<(String, String), Vec<Bar>>,
    bars_per_page: usize,
    /// Faults by ticker and page; each fault is used once.
    faults: HashMap<(String, usize), VecDeque<Fault>>,
    splits: Vec<(String, String)>,
    requests: Vec<Request>,
}

/// A running server; stopped when dropped.
pub struct Polygon {
    address: String,
    state: Arc<Mutex<State>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Polygon {
    /// Starts a server at a free port, with daily bars of AAPL and MSFT, and five-minute bars of
    /// AAPL.
    pub fn start(bars_per_page: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(Mutex::new(State { bars: bars(), bars_per_page, ..State::default() }));
        let stop = Arc::new(AtomicBool::new(false));
        let shared = Arc::clone(&state);
        let stopped = Arc::clone(&stop);
        let host = address.clone();
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&shared);
                let host = host.clone();
                std::thread::spawn(move || handle_connection(stream, &shared, &host));
            }
        });
        Self { address, state, stop, thread: Some(thread) }
    }

    /// Returns the address for POLYGON_BASE_URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes the next response with this page of a symbol faulty. Repeated calls apply to the
    /// following responses.
    pub fn fault(&self, symbol: &str, page: usize, fault: Fault) {
        self.state.lock().faults.entry((symbol.to_owned(), page)).or_default().push_back(fault);
    }

    /// Adds a two-for-one split today: earlier prices are halved, and the list of splits contains
    /// it.
    pub fn split_today(&self, symbol: &str) {
        let mut state = self.state.lock();
        let series = state.bars.iter_mut().filter(|((ticker, _), _)| ticker == symbol);
        for (_, [open, high, low, close, volume]) in series.flat_map(|(_, bars)| bars) {
            for price in [open, high, low, close] {
                *price /= 2.0;
            }
            *volume *= 2.0;
        }
        state.splits.push((symbol.to_owned(), iso_date(today())));
    }

    /// Returns the requests since the last call.
    pub fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.state.lock().requests)
    }

    /// Waits until a page of a symbol has been requested.
    pub fn wait_for_request(&self, symbol: &str, page: usize) {
        eventually("request for the page", SOON, || {
            let state = self.state.lock();
            state
                .requests
                .iter()
                .any(|request| request.symbol.as_deref() == Some(symbol) && request.page == page)
                .then_some(())
        });
    }

    /// Writes the daily bars as a folder of CSV files.
    pub fn write_daily(&self, folder: &Path) {
        let state = self.state.lock();
        for ((symbol, _), bars) in state.bars.iter().filter(|((_, unit), _)| unit == "1/day") {
            let mut text = "date,open,high,low,close,volume\n".to_owned();
            for (start, [open, high, low, close, volume]) in bars {
                let date = iso_date(Calendar::default().day(*start));
                writeln!(text, "{date},{open},{high},{low},{close},{volume}").unwrap();
            }
            std::fs::write(folder.join(format!("{symbol}.csv")), text).unwrap();
        }
    }
}

impl Drop for Polygon {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(&self.address);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Returns the current date in New York, as days since 1970-01-01.
pub fn today() -> i32 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Calendar::default().day(now.as_secs().cast_signed())
}

/// Returns the daily bars of `examples/bars` on the weekdays up to yesterday; the last ones of AAPL
/// also as five-minute bars.
fn bars() -> BTreeMap<(String, String), Vec<Bar>> {
    let calendar = Calendar::default();
    let mut all = BTreeMap::new();
    for symbol in ["AAPL", "MSFT"] {
        let text = std::fs::read_to_string(jobs::bars().join(format!("{symbol}.csv"))).unwrap();
        let row = |line: &str| {
            let mut numbers = line.split(',').skip(1).map(|number| number.parse().unwrap());
            [(); 5].map(|()| numbers.next().unwrap())
        };
        let rows: Vec<[f64; 5]> = text.lines().skip(1).map(row).collect();
        let days = weekdays(rows.len());
        let daily = days.iter().map(|day| calendar.midnight(*day)).zip(rows.iter().copied()).collect();
        all.insert((symbol.to_owned(), "1/day".to_owned()), daily);
        if symbol == "AAPL" {
            let days = weekdays(rows.len() / BARS_PER_SESSION);
            // A session starts at 9:30.
            let starts = days.iter().flat_map(|day| {
                (0..BARS_PER_SESSION).map(|idx| calendar.midnight(*day) + 9 * 3_600 + 1_800 + 300 * idx as i64)
            });
            all.insert((symbol.to_owned(), "5/minute".to_owned()), starts.zip(rows).collect());
        }
    }
    all
}

/// Returns the last `n_days` weekdays before today, oldest first.
fn weekdays(n_days: usize) -> Vec<i32> {
    let is_weekday = |day: &i32| (day - 3).rem_euclid(7) % 6 != 0;
    let mut days: Vec<i32> = (0..today()).rev().filter(is_weekday).take(n_days).collect();
    days.reverse();
    days
}

/// Responds to one request.
fn handle_connection(mut stream: TcpStream, state: &Mutex<State>, host: &str) {
    let Some(head) = read_head(&mut stream) else { return };
    let target = head.split(' ').nth(1).unwrap().to_owned();
    let has_key = head.lines().any(|line| line.eq_ignore_ascii_case(&format!("authorization: bearer {KEY}")));
    let response = respond(&target, has_key, &mut state.lock(), host);
    // The write fails if a test has killed the client, which is not an error of the server.
    let _ = match response {
        Response::Complete { status, headers, body } => {
            stream.write_all((response_head(status, headers, body.len()) + &body).as_bytes())
        }
        Response::Half(body) => {
            stream.write_all((response_head(200, "", body.len()) + &body[..body.len() / 2]).as_bytes())
        }
        Response::Silence => stream.read(&mut [0]).map(|_| ()),
    };
}

/// A response to a request.
enum Response {
    /// A complete response.
    Complete { status: u16, headers: &'static str, body: String },
    /// A response whose connection breaks after half of this body.
    Half(String),
    /// No response: the server waits until the client closes the connection.
    Silence,
}

/// Returns the status line and the headers of a response.
fn response_head(status: u16, headers: &str, n_bytes: usize) -> String {
    format!("HTTP/1.1 {status} Status\r\n{headers}Content-Length: {n_bytes}\r\nConnection: close\r\n\r\n")
}

/// Reads the head of a request; `None` if the client closes the connection first.
fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}

/// Records a request and returns its response. If faults are set for the page, the response has the
/// next fault.
fn respond(target: &str, has_key: bool, state: &mut State, host: &str) -> Response {
    let ok = |body: Value| Response::Complete { status: 200, headers: "", body: body.to_string() };
    let segments: Vec<&str> = target.split(['/', '?']).collect();
    let ["", "v2", "aggs", "ticker", symbol, "range", multiplier, unit, first, last, query] = segments[..] else {
        state.requests.push(Request { target: target.to_owned(), symbol: None, page: 0, has_key });
        let splits = state.splits.iter().filter(|(symbol, _)| target.contains(&format!("ticker={symbol}&")));
        let splits = splits.map(|(symbol, date)| json!({ "ticker": symbol, "execution_date": date }));
        return ok(json!({ "status": "OK", "results": splits.collect::<Vec<_>>() }));
    };
    let from: usize = query.split("cursor=").nth(1).map_or(0, |cursor| cursor.parse().unwrap());
    let page = from / state.bars_per_page + 1;
    state.requests.push(Request { target: target.to_owned(), symbol: Some(symbol.to_owned()), page, has_key });
    let fault = state.faults.get_mut(&(symbol.to_owned(), page)).and_then(VecDeque::pop_front);
    if !has_key {
        return Response::Complete { status: 401, headers: "", body: format!("{KEY} is required") };
    }
    let day = |date: &str| days_since_epoch(date.parse().unwrap());
    let calendar = Calendar::default();
    let times = calendar.midnight(day(first))..calendar.midnight(day(last) + 1);
    let all = state.bars.get(&(symbol.to_owned(), format!("{multiplier}/{unit}"))).map_or(&[][..], Vec::as_slice);
    let in_range: Vec<&Bar> = all.iter().filter(|(start, _)| times.contains(start)).collect();
    let to = (from + state.bars_per_page).min(in_range.len());
    let path = target.split('?').next().unwrap();
    let next = (to < in_range.len()).then(|| format!("http://{host}{path}?cursor={to}"));
    let start = if fault == Some(Fault::Repeated) { from.saturating_sub(state.bars_per_page) } else { from };
    let bar = |(start, [o, h, l, c, v]): &&Bar| json!({ "t": start * 1_000, "o": o, "h": h, "l": l, "c": c, "v": v });
    let mut results: Vec<Value> = in_range[start.min(to)..to].iter().map(bar).collect();
    if fault == Some(Fault::Shuffled) {
        results.sort_by_key(|bar| bar["v"].to_string());
    }
    let mut body = json!({ "status": "OK", "adjusted": true, "resultsCount": results.len(), "results": results });
    if let Some(next) = next {
        body["next_url"] = json!(next);
    }
    match fault {
        Some(Fault::Status(status, headers, body)) => Response::Complete { status, headers, body: body.to_owned() },
        Some(Fault::Silence) => Response::Silence,
        Some(Fault::CutOff) => Response::Half(body.to_string()),
        Some(Fault::Truncated) => {
            let body = body.to_string();
            Response::Complete { status: 200, headers: "", body: body[..body.len() / 2].to_owned() }
        }
        Some(Fault::Miscounted) => {
            body["resultsCount"] = json!(results_count(&body) + 1);
            ok(body)
        }
        Some(Fault::NextAt(next)) => {
            body["next_url"] = json!(next);
            ok(body)
        }
        Some(Fault::Shuffled | Fault::Repeated) | None => ok(body),
    }
}

fn results_count(body: &Value) -> u64 {
    body["resultsCount"].as_u64().unwrap()
}
