//! A family of API 1.2. The family's scores are a column of the table, and it logs the result of
//! the new service.

use oculus_plugin_api::prelude::*;

/// The family.
struct Grown;

impl Family for Grown {
    type Model = Column;

    fn manifest() -> Manifest {
        Manifest::new("grown", "1.0.0").leads_search()
    }

    fn fit(_: &Table<'_>, task: &Task<'_>, _: &Params, ctx: &Ctx<'_, '_>) -> Result<Column> {
        task.needs_both_classes()?;
        ctx.check()?;
        ctx.log(Level::Warn, &format!("seconds_left={}", ctx.seconds_left()));
        Ok(Column)
    }
}

/// The fitted model.
struct Column;

impl Model for Column {
    fn predict(&self, table: &Table<'_>, rows: &[u32], out: &mut [f32]) -> Result<()> {
        let column = table.column(0);
        for (score, &row) in out.iter_mut().zip(rows) {
            *score = column[row as usize];
        }
        Ok(())
    }

    fn save(&self) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn load(_: &[u8]) -> Result<Self> {
        Ok(Self)
    }
}

oculus_plugin_api::export_family!(Grown);
