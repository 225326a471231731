//! The feature table in a file that plugin processes map read-only.
//!
//! Nameless: it lives as long as somebody holds it. What the pipeline computed is in such a file already ([`Matrix`]),
//! which is completed here; small tables in memory are written whole. [`Layout`] says where its parts lie.
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

/// What the file does not say of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableShape {
    /// Rows.
    pub n_rows: usize,
    /// Feature names, one a column.
    pub names: Vec<String>,
    /// Feature roles, one a column.
    pub roles: Vec<FeatureRole>,
}

impl TableShape {
    fn layout(&self) -> Layout {
        Layout { n_rows: self.n_rows, n_features: self.names.len() }
    }
}

/// A table on its way to plugin processes: a nameless file, open for reading only.
#[derive(Debug)]
pub struct SharedTable {
    /// What the file holds.
    pub shape: TableShape,
    /// The file.
    pub file: File,
}

impl SharedTable {
    /// The table in a nameless file of the temporary folder; values that are in one already are not copied.
    ///
    /// # Errors
    /// The file system's own, such as a full disk, or `InvalidInput` for columns that are not one entry a row.
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

/// A column too short would shift all that stand behind it.
fn check_lengths(table: &FeatureTable, shape: &TableShape) -> io::Result<()> {
    let FeatureTable { time, day, symbol, values, roles, .. } = table;
    let found = [time.len(), day.len(), symbol.len(), values.len(), roles.len()];
    let needed = [shape.n_rows, shape.n_rows, shape.n_rows, shape.layout().n_values(), shape.names.len()];
    if found == needed {
        return Ok(());
    }
    let message = format!("times, days, symbols, values and roles are {found:?}, needed {needed:?}");
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}

/// A table as a plugin process sees it.
pub struct MappedTable {
    map: Mmap,
    shape: TableShape,
    roles: Vec<u32>,
}

impl MappedTable {
    /// Maps the file that holds a table of this shape.
    ///
    /// # Errors
    /// The system's own, or `InvalidData` when the file's length does not fit the shape.
    pub fn map(file: &File, shape: TableShape) -> io::Result<Self> {
        // SAFETY: the file has no name, its writer let nobody have it before it was complete, and changes it no more.
        let map = unsafe { Mmap::map(file)? };
        let found = map.len();
        let needed = shape.layout().n_bytes();
        if found != needed {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("table of {found} bytes, needed {needed}")));
        }
        let roles = shape.roles.iter().map(|role| role.code()).collect();
        Ok(Self { map, shape, roles })
    }

    /// The feature names as the boundary wants them, for [`MappedTable::raw`].
    pub fn names(&self) -> Vec<RStr<'_>> {
        self.shape.names.iter().map(|name| RStr::from_str(name)).collect()
    }

    /// The table as it crosses the plugin's boundary; `names` are those of [`MappedTable::names`].
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
    fn a_mapped_table_is_the_written_one() {
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
        let seen = oculus_plugin_api::Table::new(mapped.raw(&names)).unwrap();
        assert_eq!(seen.column(1), [4.0, 5.0, 6.0]);
        assert_eq!((seen.name(0), seen.role(1)), ("RSI_14", FeatureRole::Rule));
        assert_eq!((seen.day(), seen.symbol()), (&[10, 11, 10][..], &[0, 0, 1][..]));
        assert_eq!(seen.time(), [864_000, -1, i64::MAX]);
    }

    #[test]
    fn an_empty_table_can_be_mapped() {
        let shared = SharedTable::write(&FeatureTable::default()).unwrap();
        let mapped = MappedTable::map(&shared.file, shared.shape).unwrap();
        assert!(oculus_plugin_api::Table::new(mapped.raw(&[])).unwrap().time().is_empty());
    }

    #[test]
    fn a_column_of_another_length_is_never_written() {
        let table = FeatureTable { day: vec![1, 2], symbol: vec![0, 0], time: vec![1], ..FeatureTable::default() };
        let error = SharedTable::write(&table).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        let error = error.to_string();
        assert!(error.contains("[1, 2, 2, 0, 0]") && error.contains("[2, 2, 2, 0, 0]"), "{error}");
    }

    #[test]
    fn nobody_can_write_through_the_shared_handle() {
        let shared = SharedTable::write(&FeatureTable::default()).unwrap();
        assert!(std::io::Write::write_all(&mut &shared.file, b"x").is_err());
    }
}
