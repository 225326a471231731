//! The feature table in a file that plugin processes map read-only.
//!
//! The file has no name, so it is deleted when the last process closes it. If the pipeline computed
//! the values in such a file ([`Matrix`]), only the remaining columns are added to that file. A
//! table in memory is written completely. [`Layout`] defines the offsets of the parts of the file.
//!
//! [`Matrix`]: oculus_pipeline::matrix::Matrix

use std::fs::File;
use std::io;

use abi_stable::std_types::{RSlice, RStr};
use memmap2::Mmap;
use oculus_pipeline::features::FeatureTable;
use oculus_pipeline::matrix::{Layout, RowColumns, TableFile};
use oculus_plugin_api::{FeatureRole, abi};
use serde::{Deserialize, Serialize};

/// The shape of a table, which its file does not store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableShape {
    /// The number of rows.
    pub n_rows: usize,
    /// Feature names, one per column.
    pub names: Vec<String>,
    /// Feature roles, one per column.
    pub roles: Vec<FeatureRole>,
}

impl TableShape {
    fn layout(&self) -> Layout {
        Layout { n_rows: self.n_rows, n_features: self.names.len() }
    }
}

/// A table that plugin processes can map: a file without a name, opened read-only.
#[derive(Debug)]
pub struct SharedTable {
    /// Shape of the table.
    pub shape: TableShape,
    /// File of the table.
    pub file: File,
}

impl SharedTable {
    /// Writes the table to a file without a name in the temporary folder. Values that the pipeline
    /// computed in such a file are not copied.
    ///
    /// # Errors
    /// Returns `InvalidInput` if a column does not have one entry per row. Returns any other
    /// [`io::Error`] if the file cannot be written, for example because the disk is full.
    pub fn write(table: &FeatureTable) -> io::Result<Self> {
        let shape = TableShape { n_rows: table.n_rows(), names: table.names.clone(), roles: table.roles.clone() };
        check_lengths(table, &shape)?;
        let columns = RowColumns { times: &table.time, days: &table.day, symbols: &table.symbol };
        let file = match table.values.complete(&columns)? {
            Some(completed) => completed,
            None => {
                let file = TableFile::create(shape.layout())?;
                columns.write(&file)?;
                file.write(shape.layout().values().start, bytemuck::cast_slice(&table.values))?;
                file.read_only()?
            }
        };
        Ok(Self { shape, file })
    }
}

/// Checks that every column has one entry per row. A shorter column would shift the offsets of all
/// later ones.
fn check_lengths(table: &FeatureTable, shape: &TableShape) -> io::Result<()> {
    let FeatureTable { time, day, symbol, values, roles, .. } = table;
    let found = [time.len(), day.len(), symbol.len(), values.len(), roles.len()];
    let expected = [shape.n_rows, shape.n_rows, shape.n_rows, shape.layout().n_values(), shape.names.len()];
    if found == expected {
        return Ok(());
    }
    let message =
        format!("invalid lengths of times, days, symbols, values and roles: found {found:?}, expected {expected:?}");
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}

/// A table that is mapped in a plugin process.
pub struct MappedTable {
    map: Mmap,
    shape: TableShape,
    roles: Vec<u32>,
}

impl MappedTable {
    /// Maps the file of a table with this shape.
    ///
    /// # Errors
    /// Returns `InvalidData` if the length of the file does not match the shape, and any other
    /// [`io::Error`] if the file cannot be mapped.
    pub fn map(file: &File, shape: TableShape) -> io::Result<Self> {
        // SAFETY: the file has no name, so only the processes that received it can open it. The
        // writer shared the file after it was complete, and never changes it afterwards.
        let map = unsafe { Mmap::map(file)? };
        let found = map.len();
        let expected = shape.layout().n_bytes();
        if found != expected {
            let message = format!("invalid length of the table's file: found {found} bytes, expected {expected}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        let roles = shape.roles.iter().map(|role| role.code()).collect();
        Ok(Self { map, shape, roles })
    }

    /// Returns the feature names in the type of the plugin boundary, for [`MappedTable::raw`].
    pub fn names(&self) -> Vec<RStr<'_>> {
        self.shape.names.iter().map(|name| RStr::from_str(name)).collect()
    }

    /// Returns the table in the type of the plugin boundary.
    ///
    /// * `names`: the result of [`MappedTable::names`].
    pub fn raw<'a>(&'a self, names: &'a [RStr<'a>]) -> abi::Table<'a> {
        let layout = self.shape.layout();
        abi::Table {
            values: RSlice::from_slice(bytemuck::cast_slice(&self.map[layout.values()])),
            n_rows: self.shape.n_rows as u64,
            n_features: self.shape.names.len() as u64,
            names: RSlice::from_slice(names),
            roles: RSlice::from_slice(&self.roles),
            time: RSlice::from_slice(bytemuck::cast_slice(&self.map[layout.times()])),
            day: RSlice::from_slice(bytemuck::cast_slice(&self.map[layout.days()])),
            symbol: RSlice::from_slice(bytemuck::cast_slice(&self.map[layout.symbols()])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_table_equals_the_written_one() {
        let table = FeatureTable {
            names: vec!["RSI_14".into(), "SMA_20".into()],
            roles: vec![FeatureRole::Model, FeatureRole::Rule],
            values: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0].into(),
            symbol: vec![0, 0, 1],
            day: vec![10, 11, 10],
            time: vec![864_000, -1, i64::MAX],
            ..FeatureTable::default()
        };
        let shared = SharedTable::write(&table).unwrap();
        let mapped = MappedTable::map(&shared.file, shared.shape).unwrap();
        let names = mapped.names();
        let table = oculus_plugin_api::Table::new(mapped.raw(&names)).unwrap();
        assert_eq!(table.column(1), [4.0, 5.0, 6.0]);
        assert_eq!((table.name(0), table.role(1)), ("RSI_14", FeatureRole::Rule));
        assert_eq!((table.day(), table.symbol()), (&[10, 11, 10][..], &[0, 0, 1][..]));
        assert_eq!(table.time(), [864_000, -1, i64::MAX]);
    }

    #[test]
    fn an_empty_table_can_be_mapped() {
        let shared = SharedTable::write(&FeatureTable::default()).unwrap();
        let mapped = MappedTable::map(&shared.file, shared.shape).unwrap();
        assert!(oculus_plugin_api::Table::new(mapped.raw(&[])).unwrap().time().is_empty());
    }

    #[test]
    fn a_column_with_a_wrong_length_is_rejected() {
        let table = FeatureTable { day: vec![1, 2], symbol: vec![0, 0], time: vec![1], ..FeatureTable::default() };
        let error = SharedTable::write(&table).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        let error = error.to_string();
        assert!(error.contains("[1, 2, 2, 0, 0]") && error.contains("[2, 2, 2, 0, 0]"), "{error}");
    }

    #[test]
    fn the_shared_handle_rejects_writes() {
        let shared = SharedTable::write(&FeatureTable::default()).unwrap();
        assert!(std::io::Write::write_all(&mut &shared.file, b"x").is_err());
    }
}
