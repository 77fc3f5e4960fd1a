//! Whether the run of a month is still to be done.

use jiff::Timestamp;
use klayers_core::last_build;

use crate::{Catalog, CatalogError};

/// When the monthly build was to start that is still to be done at `now`; none if a scheduled run
/// of the whole collection was complete since.
///
/// So what asks this may do so as often as it likes: what failed is tried again, and what was done
/// is not done twice.
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
    // One by one, since the report of a large run is long, and most often the newest decides.
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
    async fn a_month_is_done_when_a_scheduled_run_of_all_was_complete() {
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
        // What was tried again was done, and what somebody did by hand after changes nothing.
        let by_hand = RunReport { scheduled: false, ..failed.clone() };
        assert_eq!(due_after([failed, done, by_hand]).await, None);
    }
}
