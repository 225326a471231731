//! Checks the headers of a column's pages before a decoder uses them.
//!
//! In: the bytes of a column chunk. Out: whether the sizes in its page headers are possible.
//! Invariant: a chunk that passes makes no decoder reserve memory out of proportion to its rows.
//! The decoder reserves memory for as many values as a header claims, and running out of memory
//! ends the process.

/// The most bytes per value: the text of a time.
const MOST_BYTES_PER_VALUE: i64 = 64;
/// Bytes of a page in addition to its values.
const PAGE_EXTRA: i64 = 1 << 16;
/// The deepest nesting of structs in a header.
const MOST_DEPTH: usize = 4;

/// A number in a header.
struct HeaderNumber {
    /// Field of the struct that contains the number; 0 for the header itself.
    parent: i64,
    /// Field of the number.
    field: i64,
    /// Value of the number.
    value: i64,
}

/// Returns whether a chunk consists of complete pages, none of which claims more than the rows of
/// its group.
pub(super) fn are_possible(chunk: &[u8], n_rows: usize) -> bool {
    let n_rows = i64::try_from(n_rows).unwrap_or(i64::MAX);
    let mut rest = chunk;
    while !rest.is_empty() {
        let Some(next) = after_page(rest, n_rows) else { return false };
        rest = next;
    }
    true
}

/// Returns the bytes after the first page; `None` if its header is impossible.
fn after_page(bytes: &[u8], n_rows: i64) -> Option<&[u8]> {
    let mut header = Header { rest: bytes, numbers: Vec::new() };
    header.read_struct(0, 0)?;
    let most_bytes = n_rows.checked_mul(MOST_BYTES_PER_VALUE)?.checked_add(PAGE_EXTRA)?;
    let is_possible = |number: &HeaderNumber| match (number.parent, number.field) {
        (0, 2 | 3) | (8, 5 | 6) => (0..=most_bytes).contains(&number.value),
        (5 | 7, 1) | (8, 1..=3) => (0..=n_rows).contains(&number.value),
        _ => true,
    };
    if !header.numbers.iter().all(is_possible) {
        return None;
    }
    let compressed = header.numbers.iter().find(|number| number.parent == 0 && number.field == 3)?;
    header.rest.get(usize::try_from(compressed.value).ok()?..)
}

/// Reader of a struct in Thrift's compact protocol, of which only the numbers are kept.
struct Header<'a> {
    rest: &'a [u8],
    numbers: Vec<HeaderNumber>,
}

impl Header<'_> {
    fn read_struct(&mut self, parent: i64, depth: usize) -> Option<()> {
        let mut field = 0;
        loop {
            let head = self.byte()?;
            let step = i64::from(head >> 4);
            let form = head & 15;
            if form == 0 {
                return Some(());
            }
            field = if step == 0 { self.number()? } else { field + step };
            match form {
                1 | 2 => {}
                3 => self.skip(1)?,
                4..=6 => {
                    let value = self.number()?;
                    self.numbers.push(HeaderNumber { parent, field, value });
                }
                7 => self.skip(8)?,
                8 => {
                    let length = self.varint()?;
                    self.skip(length)?;
                }
                12 if depth < MOST_DEPTH => self.read_struct(if depth == 0 { field } else { -1 }, depth + 1)?,
                // A page header has no lists and no maps.
                _ => return None,
            }
        }
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn skip(&mut self, n_bytes: u64) -> Option<()> {
        self.rest = self.rest.get(usize::try_from(n_bytes).ok()?..)?;
        Some(())
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 127) << shift;
            if byte & 128 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// Reads a signed number in zigzag encoding.
    fn number(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }
}
