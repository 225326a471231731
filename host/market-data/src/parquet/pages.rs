//! Checks the page headers of a column before the column is decoded.
//!
//! In: the bytes of a column chunk. Out: whether the sizes in its page headers are possible.
//! Invariant: for a chunk that passes, the memory that the decoder allocates is proportional to the
//! number of rows.
//!
//! The decoder allocates memory for the number of values that a header states. A damaged header
//! could therefore exhaust the memory. The system would then kill the process. Unlike a panic, this
//! cannot be caught.

/// Maximum number of bytes per value. The longest values are times as text.
const MAX_BYTES_PER_VALUE: i64 = 64;
/// Maximum number of bytes of a page in addition to its values.
const PAGE_EXTRA: i64 = 1 << 16;
/// Maximum nesting of structs in a header.
const MAX_DEPTH: usize = 4;

/// A number in a page header.
struct HeaderNumber {
    /// Field id of the struct that contains the number. 0 stands for the header itself, and -1 for
    /// every struct at a deeper level than the header's own fields.
    parent: i64,
    /// Field id of the number.
    field: i64,
    /// The number.
    value: i64,
}

/// Returns whether a chunk consists of complete pages with possible headers. Returns false if a
/// page states more values than its row group has rows.
pub(super) fn are_possible(chunk: &[u8], n_rows: usize) -> bool {
    let n_rows = i64::try_from(n_rows).unwrap_or(i64::MAX);
    let mut rest = chunk;
    while !rest.is_empty() {
        let Some(next) = after_page(rest, n_rows) else { return false };
        rest = next;
    }
    true
}

/// Returns the bytes after the first page, or `None` if its header is impossible.
fn after_page(bytes: &[u8], n_rows: i64) -> Option<&[u8]> {
    let mut header = Header { rest: bytes, numbers: Vec::new() };
    header.read_struct(0, 0)?;
    let max_bytes = n_rows.checked_mul(MAX_BYTES_PER_VALUE)?.checked_add(PAGE_EXTRA)?;
    // The numbers are field ids of `PageHeader` in parquet.thrift. Fields 2 and 3 are the sizes of
    // the page. Field 5 is the header of a data page, 7 of a dictionary page, and 8 of a data page
    // of version 2. In headers 5 and 7, field 1 is the number of values. In header 8, fields 1 to 3
    // are the numbers of values, nulls and rows, and fields 5 and 6 are sizes.
    let is_possible = |number: &HeaderNumber| match (number.parent, number.field) {
        (0, 2 | 3) | (8, 5 | 6) => (0..=max_bytes).contains(&number.value),
        (5 | 7, 1) | (8, 1..=3) => (0..=n_rows).contains(&number.value),
        _ => true,
    };
    if !header.numbers.iter().all(is_possible) {
        return None;
    }
    let compressed = header.numbers.iter().find(|number| number.parent == 0 && number.field == 3)?;
    header.rest.get(usize::try_from(compressed.value).ok()?..)
}

/// A reader of a struct in Thrift's compact protocol. It keeps only the numbers.
struct Header<'a> {
    rest: &'a [u8],
    numbers: Vec<HeaderNumber>,
}

impl Header<'_> {
    /// Reads a struct and all structs that it contains. The numbers in the `match` are the type ids
    /// of the compact protocol.
    fn read_struct(&mut self, parent: i64, depth: usize) -> Option<()> {
        let mut field = 0;
        loop {
            let head = self.byte()?;
            let step = i64::from(head >> 4);
            let type_id = head & 15;
            if type_id == 0 {
                return Some(());
            }
            field = if step == 0 { self.number()? } else { field + step };
            match type_id {
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
                12 if depth < MAX_DEPTH => self.read_struct(if depth == 0 { field } else { -1 }, depth + 1)?,
                // A page header contains no list, set or map.
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

    /// Reads an unsigned number in LEB128 encoding.
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
