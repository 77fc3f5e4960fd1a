//! What every catalog promises.

use std::sync::Arc;

use klayers_build::catalog::{Catalog, CatalogError, Include, Intent, Lease, OwedPointer, Query};
use klayers_build::gate::{Finding, GateReport, ImportReport};
use klayers_build::report::RunReport;
use klayers_core::{
    Build, Content, Digest, LayerVersion, LayerVersionArn, Origin, Status, Timestamp, Yank,
};

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

/// Where a catalog lives. Whatever is opened there is the same catalog.
pub(crate) trait Home {
    fn open(&self) -> Arc<dyn Catalog>;
}

/// The tests of a catalog, each in the home that an expression makes.
macro_rules! catalog_promises {
    ($home:expr) => {
        $crate::conformance::promises! {
            $home; catalog:
            a_new_one_is_empty,
            each_package_has_one_latest_build,
            builds_that_differ_in_time_alone_are_one,
            an_earlier_build_becomes_the_latest_again,
            builds_are_kept_to_the_last_digit,
            layers_made_by_hand_are_kept_like_others,
            what_the_gate_said_is_kept_with_the_content,
            builds_are_found_by_their_content,
            beginning_needs_a_recorded_build,
            one_publication_is_under_way_at_a_time,
            what_is_under_way_says_what_it_publishes,
            abandoning_ends_exactly_that_publication,
            when_a_publication_was_under_way_and_why_it_is_stuck_is_kept,
            completing_makes_the_latest_and_deprecates_the_one_before,
            a_layer_named_otherwise_is_superseded_too,
            completing_twice_is_completing_once,
            completing_leaves_other_publications_under_way,
            what_is_completed_as_retired_leaves_the_latest,
            an_arn_belongs_to_one_content,
            completing_needs_a_recorded_build,
            the_latest_is_never_deleted,
            deleting_keeps_the_record_and_the_first_time,
            a_deletion_is_under_way_until_it_ends,
            what_expired_is_told_until_it_is_deleted,
            withdrawing_the_latest_brings_back_the_one_before,
            withdrawing_an_older_one_leaves_the_latest,
            withdrawing_twice_is_withdrawing_once,
            what_was_withdrawn_does_not_come_back,
            what_is_not_there_cannot_be_withdrawn,
            withdrawn_builds_are_told_when_their_versions_are_deleted_too,
            a_lost_version_is_deleted_and_a_lost_latest_replaced,
            what_is_adopted_is_kept_and_nothing_is_known_of_its_bytes,
            when_an_adopted_build_was_made_may_be_told_later,
            adopting_twice_is_adopting_once,
            adopting_again_follows_the_other_collection,
            what_is_adopted_is_told_as_changed,
            what_was_published_here_is_not_touched_by_adopting,
            what_was_adopted_cannot_be_published_from_here,
            queries_restrict_what_they_say,
            versions_are_sorted,
            the_latest_comes_first_when_the_clock_was_set_back,
            targets_and_regions_are_those_of_layer_versions,
                listed_is_what_exists_and_what_was_built,
            what_changed_is_told_once_from_a_change_on,
            all_that_changes_what_is_listed_is_told,
            of_many_that_begin_at_once_one_does,
            of_many_completed_at_once_one_is_the_latest,
            the_newest_time_is_that_of_any_version,
            opened_again_it_says_the_same,
            pointers_are_owed_until_they_are_moved,
            reports_of_runs_are_kept_under_rising_numbers,
            the_lease_changes_hands_only_as_expected,
            of_many_that_take_the_lease_at_once_one_gets_it,
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

/// What is under way, and who is at work.
type AtWork = (Vec<Intent>, Vec<LayerVersionArn>, Option<Lease>);

async fn everything(catalog: &dyn Catalog) -> (Vec<Build>, Vec<LayerVersion>, AtWork) {
    let at_work = (
        catalog.under_way().await.unwrap(),
        catalog.deletions_under_way().await.unwrap(),
        catalog.lease().await.unwrap(),
    );
    (catalog.latest_builds(None).await.unwrap(), all(catalog).await, at_work)
}
