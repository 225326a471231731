//! Follows the append-only files of a redis-server.
//!
//! In: the folder of the files. Out: transactions in the order in which Redis committed them.
//! Invariant: a transaction is returned once, and only if Redis applies it again after a crash.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// A write command: its name and arguments.
pub(crate) type Command = Vec<Vec<u8>>;

/// Commands that Redis applies together: the writes of a script or of a MULTI block, or one
/// command.
pub(crate) type Transaction = Vec<Command>;

/// A reader at the end of the append-only files.
pub(crate) struct AppendOnlyFile {
    folder: PathBuf,
    current: Option<Segment>,
}

/// One file. Redis begins a new one when it rewrites its data.
struct Segment {
    number: u64,
    file: File,
    /// The bytes that were read after the last complete transaction.
    unparsed: Vec<u8>,
    /// The position after the last complete transaction.
    parsed: u64,
}

impl AppendOnlyFile {
    /// Creates a reader at the start of the first file in the folder.
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), current: None }
    }

    /// Returns the transactions that Redis committed since the last call.
    ///
    /// # Errors
    /// Returns [`io::Error`] if a file cannot be read or contains something other than commands.
    pub(crate) fn read(&mut self) -> io::Result<Vec<Transaction>> {
        let mut transactions = Vec::new();
        loop {
            // The next file is looked for before the current one is read: once the next file exists,
            // Redis appends nothing more to the current one.
            let after = self.current.as_ref().map_or(0, |segment| segment.number);
            let next = self.first_number_after(after);
            if let Some(segment) = &mut self.current {
                segment.read_into(&mut transactions)?;
            }
            let Some(number) = next else { return Ok(transactions) };
            self.current = Some(Segment::open(number, &self.path_of(number))?);
        }
    }

    /// Drops an incomplete transaction at the end of the file, which Redis removes when it restarts.
    /// Must be called while Redis is down.
    ///
    /// # Errors
    /// Returns [`io::Error`] if the position cannot be changed.
    pub(crate) fn drop_incomplete(&mut self) -> io::Result<()> {
        let Some(segment) = &mut self.current else { return Ok(()) };
        segment.unparsed.clear();
        segment.file.seek(SeekFrom::Start(segment.parsed)).map(drop)
    }

    fn path_of(&self, number: u64) -> PathBuf {
        self.folder.join(format!("appendonly.aof.{number}.incr.aof"))
    }

    /// Returns the smallest number of a file that is larger than `number`.
    fn first_number_after(&self, number: u64) -> Option<u64> {
        let files = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let numbers = files.filter_map(|file| {
            let name = file.file_name().into_string().ok()?;
            name.strip_prefix("appendonly.aof.")?.strip_suffix(".incr.aof")?.parse().ok()
        });
        numbers.filter(|found| *found > number).min()
    }
}

impl Segment {
    fn open(number: u64, path: &Path) -> io::Result<Self> {
        Ok(Self { number, file: File::open(path)?, unparsed: Vec::new(), parsed: 0 })
    }

    fn read_into(&mut self, transactions: &mut Vec<Transaction>) -> io::Result<()> {
        self.file.read_to_end(&mut self.unparsed)?;
        let mut used = 0;
        while let Some((transaction, n_bytes)) = parse_transaction(&self.unparsed[used..])? {
            used += n_bytes;
            if !transaction.is_empty() {
                transactions.push(transaction);
            }
        }
        self.unparsed.drain(..used);
        self.parsed += used as u64;
        Ok(())
    }
}

/// Parses one transaction. Returns it with its number of bytes, or `None` if it is incomplete.
fn parse_transaction(bytes: &[u8]) -> io::Result<Option<(Transaction, usize)>> {
    let Some((command, mut used)) = parse_command(bytes)? else { return Ok(None) };
    if is_named(&command, "SELECT") {
        return Ok(Some((Vec::new(), used)));
    }
    if !is_named(&command, "MULTI") {
        return Ok(Some((vec![command], used)));
    }
    let mut commands = Vec::new();
    while let Some((command, n_bytes)) = parse_command(&bytes[used..])? {
        used += n_bytes;
        if is_named(&command, "EXEC") {
            return Ok(Some((commands, used)));
        }
        commands.push(command);
    }
    Ok(None)
}

/// Returns whether a command has a name, in upper or lower case.
pub(crate) fn is_named(command: &Command, name: &str) -> bool {
    command.first().is_some_and(|first| first.eq_ignore_ascii_case(name.as_bytes()))
}

/// Parses one command: `*<words>`, then `$<bytes>` and the bytes for each word. Returns `None` if it
/// is incomplete.
fn parse_command(bytes: &[u8]) -> io::Result<Option<(Command, usize)>> {
    let mut used = 0;
    let Some(n_words) = parse_count(bytes, &mut used, b'*')? else { return Ok(None) };
    let mut command = Vec::new();
    for _ in 0..n_words {
        let Some(n_bytes) = parse_count(bytes, &mut used, b'$')? else { return Ok(None) };
        let Some(word) = bytes.get(used..used + n_bytes) else { return Ok(None) };
        used += n_bytes + 2;
        if used > bytes.len() {
            return Ok(None);
        }
        command.push(word.to_vec());
    }
    Ok(Some((command, used)))
}

/// Parses a line such as `*3` at the position `used`, and moves the position after it.
fn parse_count(bytes: &[u8], used: &mut usize, mark: u8) -> io::Result<Option<usize>> {
    let rest = &bytes[*used..];
    let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") else { return Ok(None) };
    let line = &rest[..end];
    let count = line.strip_prefix(&[mark]).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    *used += end + 2;
    count.map(Some).ok_or_else(|| {
        let line = String::from_utf8_lossy(line);
        io::Error::other(format!("the append-only file contains `{line}` instead of a command"))
    })
}

#[cfg(test)]
mod tests {
    use oculus_tests::Redis;

    use super::*;

    fn texts(transactions: Vec<Transaction>) -> Vec<Vec<String>> {
        let text = |command: Command| command.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
        let join = |words: Vec<String>| words.join(" ");
        transactions.into_iter().map(|commands| commands.into_iter().map(text).map(join).collect()).collect()
    }

    #[test]
    fn writes_are_read_once_across_a_rewrite_and_a_kill_of_redis() {
        let mut redis = Redis::start();
        let mut file = AppendOnlyFile::new(&redis.append_only_folder());
        let () = redis.query(&["SET", "a", "1"]);
        assert_eq!(texts(file.read().unwrap()), [["SET a 1"]]);
        let () = redis.query(&["SET", "a", "2"]);
        let script = "redis.call('SET', 'b', '1') redis.call('INCR', 'b') return 1";
        let _: u64 = redis.query(&["EVAL", script, "0"]);
        let _: String = redis.query(&["BGREWRITEAOF"]);
        let () = redis.query(&["SET", "a", "3"]);
        redis.kill();
        let read = texts(file.read().unwrap());
        assert_eq!(read, [vec!["SET a 2"], vec!["SET b 1", "INCR b"], vec!["SET a 3"]]);
        file.drop_incomplete().unwrap();
        redis.restart();
        let () = redis.query(&["SET", "a", "4"]);
        assert_eq!(texts(file.read().unwrap()), [["SET a 4"]]);
    }

    #[test]
    fn an_incomplete_transaction_is_not_returned() {
        let bytes = b"*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n*1\r\n$4\r\nEXEC\r\n";
        for end in 0..bytes.len() {
            assert_eq!(parse_transaction(&bytes[..end]).unwrap(), None, "with {end} bytes");
        }
        let (transaction, n_bytes) = parse_transaction(bytes).unwrap().unwrap();
        assert_eq!((texts(vec![transaction]), n_bytes), (vec![vec!["SET a 1".to_owned()]], bytes.len()));
        parse_transaction(b"garbage\r\n").unwrap_err();
    }
}
