use std::collections::BTreeMap;
use std::fmt::Write as _;

use klayers_core::api::{Format, Route};
use klayers_core::{LayerVersion, Region, Target};

/// A Markdown page of a target: its regions, each with links to its lists. The links are relative, so
/// the page works on any host that serves the API, too.
pub(super) fn markdown(target: Target, latest: &[LayerVersion]) -> String {
    let mut layers: BTreeMap<&Region, usize> = BTreeMap::new();
    for version in latest {
        *layers.entry(version.region()).or_default() += 1;
    }
    let mut page = format!(
        "# Layers for Python {} on {}\n\n\
         | Region | Name | Layers | Lists |\n\
         | --- | --- | ---: | --- |\n",
        target.python, target.architecture
    );
    for (region, count) in layers {
        let link = |format: Format| {
            let route = Route::Latest { target, region: region.clone(), format };
            format!("[{format}](..{route})")
        };
        let [json, csv, html] = [Format::Json, Format::Csv, Format::Html].map(link);
        let name = region.name().unwrap_or_default();
        let _ = writeln!(page, "| {region} | {name} | {count} | {json} {csv} {html} |");
    }
    page
}
