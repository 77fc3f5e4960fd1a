use super::query::{condition, distinct_sql};
use super::*;
use crate::Include;

fn plan(sql: &str, parameters: &[String]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let connection = schema::open(&folder.path().join("klayers.db")).unwrap();
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let steps = statement.query_map(params_from_iter(parameters), |row| row.get("detail")).unwrap();
    steps.map(Result::unwrap).collect()
}

#[test]
fn queries_use_indexes() {
    let target = Some("p3.12".parse().unwrap());
    let region: Option<Region> = Some("eu-west-1".parse().unwrap());
    let package = Some("requests".parse().unwrap());
    let latest = Query { target, region: region.clone(), ..Query::default() };
    let versions = Query { target, region, package: package.clone(), include: Include::Existing };
    let everywhere = Query { package, include: Include::Existing, ..Query::default() };
    let mut plans = vec![plan(&distinct_sql("target"), &[]), plan(&distinct_sql("region"), &[])];
    for query in [latest, versions, everywhere] {
        let (condition, parameters) = condition(&query);
        plans.push(plan(&retire::select(&condition), &parameters));
    }
    let expired = "layer_versions.status = 'deprecated' AND layer_versions.status_at <= ?";
    plans.push(plan(&retire::select(expired), &["2026".to_owned()]));
    let arn = ["arn".to_owned()];
    plans.push(plan(&retire::select("layer_versions.arn = ?"), &arn));
    plans.push(plan(&retire::select(retire::LATEST_BESIDE), &arn));
    plans.push(plan(&retire::select(retire::DEPRECATED_BESIDE), &arn));
    plans.push(plan(retire::NEWEST, &[]));
    plans.push(plan(retire::NEWEST_ADOPTED, &[]));
    plans.push(plan(&rows::builds_of_sql(), &["content".to_owned()]));
    plans.push(plan(changes::SINCE, &["7".to_owned()]));
    for steps in plans {
        let scans = steps.iter().filter(|step| step.starts_with("SCAN"));
        let scanned: Vec<_> = scans.filter(|step| *step != "SCAN found").collect();
        assert!(scanned.is_empty(), "{steps:#?}");
    }
}

#[test]
fn planning_reads_latest_versions_of_a_target_and_all_withdrawn_ones() {
    let target = Some("p3.12".parse().unwrap());
    let (condition, parameters) = condition(&Query { target, ..Query::default() });
    let steps = plan(&retire::select(&condition), &parameters);
    let through = "USING INDEX latest_layer_versions (target=?)";
    assert!(steps[0].ends_with(through), "{steps:#?}");
    let steps = plan(&retire::yanked_builds_sql(), &["p3.12".to_owned()]);
    let scans: Vec<_> = steps.iter().filter(|step| step.starts_with("SCAN")).collect();
    assert_eq!(scans, ["SCAN yanks"], "{steps:#?}");
}
