//! The conformance suite of catalogs.

use std::sync::Arc;

use klayers_catalog::report::RunReport;
use klayers_catalog::{Catalog, CatalogError, Include, Intent, Lease, OwedPointer, Query};
use klayers_core::{
    Build, Content, Digest, LayerVersion, LayerVersionArn, Origin, Status, Timestamp, Yank,
};
use klayers_layer::gate::{Finding, GateReport, ImportReport};

use crate::samples::{
    arn, at, build, digest, intent, package, published, region, target, with_content,
};

mod adoption;
mod builds;
mod changes;
mod publications;
mod queries;
mod retirement;
mod runs;

pub(crate) use adoption::*;
pub(crate) use builds::*;
pub(crate) use changes::*;
pub(crate) use publications::*;
pub(crate) use queries::*;
pub(crate) use retirement::*;
pub(crate) use runs::*;

/// The place of a catalog. Everything opened there is the same catalog.
pub(crate) trait Home {
    fn open(&self) -> Arc<dyn Catalog>;
}

/// Defines the tests of a catalog. The expression creates a home.
macro_rules! catalog_promises {
    ($home:expr) => {
        $crate::conformance::promises! {
            $home; catalog:
            new_catalog_is_empty,
            each_package_has_one_latest_build,
            builds_that_differ_only_in_time_are_one,
            earlier_build_can_become_latest_again,
            builds_are_stored_exactly,
            imported_layers_are_stored_like_built_ones,
            gate_reports_are_stored_by_content,
            builds_are_found_by_their_content,
            publication_requires_recorded_build,
            layer_has_one_publication_under_way_at_a_time,
            publication_under_way_keeps_its_build,
            abandoning_ends_only_that_publication,
            attempt_time_and_stuck_reason_are_stored,
            completing_makes_version_latest_and_deprecates_previous,
            layer_with_other_name_is_superseded_too,
            completing_twice_equals_completing_once,
            completing_leaves_other_publications_under_way,
            completing_retired_version_keeps_latest,
            arn_cannot_be_recorded_with_other_content,
            completing_requires_recorded_build,
            latest_version_is_never_deleted,
            deletion_keeps_record_and_first_deletion_time,
            deletion_is_under_way_until_it_ends,
            expired_versions_are_listed_until_deleted,
            withdrawing_latest_makes_previous_version_latest,
            withdrawing_older_version_keeps_latest,
            withdrawing_twice_equals_withdrawing_once,
            withdrawn_version_does_not_become_latest_again,
            missing_version_cannot_be_withdrawn,
            withdrawn_builds_are_listed_after_deletion,
            lost_version_is_deleted_and_lost_latest_is_replaced,
            adopted_records_are_stored_without_content,
            build_time_of_adopted_build_can_be_added_later,
            adopting_twice_equals_adopting_once,
            repeated_adoption_follows_the_other_collection,
            adopted_layers_are_reported_as_changes,
            adoption_leaves_own_publications_unchanged,
            adopted_builds_cannot_be_published,
            queries_filter_by_each_field,
            versions_are_sorted,
            latest_comes_first_even_if_clock_was_set_back,
            targets_and_regions_come_from_layer_versions,
            listing_contains_existing_versions_and_latest_builds,
            changes_are_reported_once_since_a_given_number,
            every_change_of_the_listing_is_reported,
            only_one_of_concurrent_publications_begins,
            only_one_of_concurrent_completions_is_latest,
            newest_time_includes_deleted_versions,
            reopened_catalog_has_same_records,
            pointers_are_owed_until_they_are_moved,
            run_reports_get_increasing_numbers,
            lease_is_replaced_only_if_expected_lease_matches,
            only_one_of_concurrent_processes_gets_the_lease,
        }
    };
}

pub(crate) use catalog_promises;

fn expiry() -> Timestamp {
    at("2027-11-01T02:00:00Z")
}

async fn publish(catalog: &dyn Catalog, build: &Build, region: &str, number: u64) {
    catalog.record_build(build).await.unwrap();
    catalog.begin(&intent(build, region)).await.unwrap();
    catalog.complete(&published(build, region, number), expiry()).await.unwrap();
}

async fn all(catalog: &dyn Catalog) -> Vec<LayerVersion> {
    let query = Query { include: Include::All, ..Query::default() };
    catalog.layer_versions(&query).await.unwrap()
}

/// Publications and deletions under way, and the lease.
type AtWork = (Vec<Intent>, Vec<LayerVersionArn>, Option<Lease>);

async fn everything(catalog: &dyn Catalog) -> (Vec<Build>, Vec<LayerVersion>, AtWork) {
    let at_work = (
        catalog.under_way().await.unwrap(),
        catalog.deletions_under_way().await.unwrap(),
        catalog.lease().await.unwrap(),
    );
    (catalog.latest_builds(None).await.unwrap(), all(catalog).await, at_work)
}
