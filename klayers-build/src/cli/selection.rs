use clap::Args;
use klayers_build::plan::Selection;
use klayers_core::{PackageName, Region, Target};

/// The arguments that select recorded layers.
#[derive(Debug, Args)]
pub(super) struct SelectionArgs {
    /// Only this package or bundle; may be given several times.
    #[arg(long, value_name = "P")]
    package: Vec<PackageName>,
    #[command(flatten)]
    places: PlaceArgs,
}

/// The arguments that select targets and regions.
#[derive(Debug, Args)]
pub(super) struct PlaceArgs {
    /// Only this target, such as p3.12-arm64; may be given several times.
    #[arg(long, value_name = "T")]
    target: Vec<Target>,
    /// Only in this region; may be given several times.
    #[arg(long, value_name = "R")]
    region: Vec<Region>,
}

impl From<SelectionArgs> for Selection {
    fn from(args: SelectionArgs) -> Self {
        Self { packages: args.package, ..args.places.into() }
    }
}

impl From<PlaceArgs> for Selection {
    fn from(args: PlaceArgs) -> Self {
        Self { packages: Vec::new(), targets: args.target, regions: args.region }
    }
}
