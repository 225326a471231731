//! The headers of a column's pages, checked before a decoder believes them.
//!
//! In: the bytes of a column chunk. Out: whether what its pages say of themselves can be. The decoder reserves memory for
//! as many values as a header claims, and running out of memory ends the process.

/// Bytes that a value takes at most, as text of a time.
const MOST_BYTES_A_VALUE: i64 = 64;
/// Room of a page beside its values.
const PAGE_EXTRA: i64 = 1 << 16;
/// Structs within structs that a header may have.
const MOST_DEPTH: usize = 4;

/// A number in a header: the field of the struct it stands in (0 for the header itself), its own field, its value.
type Number = (i64, i64, i64);

/// Whether a chunk consists of whole pages, none of which claims more than the rows of its group.
pub(super) fn are_possible(chunk: &[u8], n_rows: usize) -> bool {
    let n_rows = i64::try_from(n_rows).unwrap_or(i64::MAX);
    let mut rest = chunk;
    while !rest.is_empty() {
        let Some(next) = after_page(rest, n_rows) else { return false };
        rest = next;
    }
    true
}

/// What follows the first page, where its header can be true.
fn after_page(bytes: &[u8], n_rows: i64) -> Option<&[u8]> {
    let mut header = Header { rest: bytes, numbers: Vec::new() };
    header.read_struct(0, 0)?;
    let most_bytes = n_rows.checked_mul(MOST_BYTES_A_VALUE)?.checked_add(PAGE_EXTRA)?;
    let is_possible = |&(parent, field, value): &Number| match (parent, field) {
        (0, 2 | 3) | (8, 5 | 6) => (0..=most_bytes).contains(&value),
        (5 | 7, 1) | (8, 1..=3) => (0..=n_rows).contains(&value),
        _ => true,
    };
    if !header.numbers.iter().all(is_possible) {
        return None;
    }
    let compressed = header.numbers.iter().find(|(parent, field, _)| (*parent, *field) == (0, 3))?.2;
    header.rest.get(usize::try_from(compressed).ok()?..)
}

/// A struct of Thrift's compact protocol, of which only the numbers matter.
struct Header<'a> {
    rest: &'a [u8],
    numbers: Vec<Number>,
}

impl Header<'_> {
    fn read_struct(&mut self, parent: i64, depth: usize) -> Option<()> {
        let mut field = 0;
        loop {
            let head = self.byte()?;
            let (step, form) = (i64::from(head >> 4), head & 15);
            if form == 0 {
                return Some(());
            }
            field = if step == 0 { self.number()? } else { field + step };
            match form {
                1 | 2 => {}
                3 => self.skip(1)?,
                4..=6 => {
                    let value = self.number()?;
                    self.numbers.push((parent, field, value));
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

    /// A signed number, zigzag.
    fn number(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }
}
