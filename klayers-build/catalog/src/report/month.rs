//! Finds out whether the monthly run still has to be done.

use jiff::Timestamp;
use klayers_core::last_build;

use crate::{Catalog, CatalogError};

/// Returns the scheduled time of the monthly build that still has to be done at `now`; `None` if a
/// scheduled run of the whole collection has completed since then.
///
/// So a caller may ask as often as it likes: failed builds are tried again, and completed ones are
/// not repeated.
///
/// # Errors
///
/// If the catalog cannot be read.
pub async fn due_build(
    catalog: &dyn Catalog,
    now: Timestamp,
) -> Result<Option<Timestamp>, CatalogError> {
    let Some(build) = last_build(now) else { return Ok(None) };
    let newest = catalog.runs(1).await?.first().map_or(0, |(number, _)| *number);
    // One by one, because the report of a large run is long, and usually the newest one decides.
    for number in (1..=newest).rev() {
        let Some(report) = catalog.run(number).await? else { continue };
        if report.begun_at < build {
            break;
        }
        if report.scheduled && report.whole && report.is_complete() {
            return Ok(None);
        }
    }
    Ok(Some(build))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SqliteCatalog;
    use crate::report::RunReport;

    async fn due_after(reports: impl IntoIterator<Item = RunReport>) -> Option<String> {
        let catalog = SqliteCatalog::in_memory().unwrap();
        for report in reports {
            catalog.record_run(&report).await.unwrap();
        }
        let now = "2026-11-22T16:00:00Z".parse().unwrap();
        due_build(&catalog, now).await.unwrap().map(|time| time.to_string())
    }

    fn scheduled(begun_at: &str) -> RunReport {
        RunReport { scheduled: true, ..RunReport::begin(begun_at.parse().unwrap()) }
    }

    #[tokio::test]
    async fn month_is_done_after_complete_scheduled_run() {
        let due = Some("2026-11-01T02:00:00Z".to_owned());
        let done = scheduled("2026-11-01T02:00:00Z");
        assert_eq!(due_after([]).await, due);
        assert_eq!(due_after([scheduled("2026-11-01T01:59:59Z")]).await, due);
        assert_eq!(due_after([RunReport { whole: false, ..done.clone() }]).await, due);
        assert_eq!(due_after([RunReport { scheduled: false, ..done.clone() }]).await, due);
        let mut failed = done.clone();
        failed.add_interruption();
        assert_eq!(due_after([failed.clone()]).await, due);

        assert_eq!(due_after([done.clone()]).await, None);
        // The second attempt completed the run; a later manual run changes nothing.
        let by_hand = RunReport { scheduled: false, ..failed.clone() };
        assert_eq!(due_after([failed, done, by_hand]).await, None);
    }
}
