//! The known regions of AWS.
//!
//! Codes, names and partitions are from `partitions.json` in botocore 1.44.5. Regions of the public
//! collection have the names from its `regions.csv`. Opt-in regions are those of the partition `aws`
//! that opened after 20 March 2019, according to
//! [the AWS Account Management guide](https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-regions.html),
//! except Osaka, which became a default region in 2021.

pub(super) struct Row {
    pub(super) code: &'static str,
    pub(super) name: &'static str,
    pub(super) opt_in: bool,
}

/// Sorted by code, for [`find`].
pub(super) const REGIONS: &[Row] = &[
    row("af-south-1", "Africa (Cape Town)", true),
    row("ap-east-1", "Asia Pacific (Hong Kong)", true),
    row("ap-east-2", "Asia Pacific (Taipei)", true),
    row("ap-northeast-1", "Asia Pacific (Tokyo)", false),
    row("ap-northeast-2", "Asia Pacific (Seoul)", false),
    row("ap-northeast-3", "Asia Pacific (Osaka)", false),
    row("ap-south-1", "Asia Pacific (Mumbai)", false),
    row("ap-south-2", "Asia Pacific (Hyderabad)", true),
    row("ap-southeast-1", "Asia Pacific (Singapore)", false),
    row("ap-southeast-2", "Asia Pacific (Sydney)", false),
    row("ap-southeast-3", "Asia Pacific (Jakarta)", true),
    row("ap-southeast-4", "Asia Pacific (Melbourne)", true),
    row("ap-southeast-5", "Asia Pacific (Malaysia)", true),
    row("ap-southeast-6", "Asia Pacific (New Zealand)", true),
    row("ap-southeast-7", "Asia Pacific (Thailand)", true),
    row("ca-central-1", "Canada (Central)", false),
    row("ca-west-1", "Canada West (Calgary)", true),
    row("cn-north-1", "China (Beijing)", false),
    row("cn-northwest-1", "China (Ningxia)", false),
    row("eu-central-1", "EU (Frankfurt)", false),
    row("eu-central-2", "Europe (Zurich)", true),
    row("eu-isoe-west-1", "EU ISOE West", false),
    row("eu-north-1", "EU (Stockholm)", false),
    row("eu-south-1", "EU (Milan)", true),
    row("eu-south-2", "Europe (Spain)", true),
    row("eu-west-1", "EU (Ireland)", false),
    row("eu-west-2", "EU (London)", false),
    row("eu-west-3", "EU (Paris)", false),
    row("eusc-de-east-1", "AWS European Sovereign Cloud (Germany)", false),
    row("il-central-1", "Israel (Tel Aviv)", true),
    row("me-central-1", "Middle East (UAE)", true),
    row("me-south-1", "Middle East (Bahrain)", true),
    row("me-west-1", "Middle East (Saudi Arabia)", true),
    row("mx-central-1", "Mexico (Central)", true),
    row("sa-east-1", "South America (São Paulo)", false),
    row("sa-west-1", "South America (Chile)", true),
    row("us-east-1", "US East (N. Virginia)", false),
    row("us-east-2", "US East (Ohio)", false),
    row("us-gov-east-1", "AWS GovCloud (US-East)", false),
    row("us-gov-west-1", "AWS GovCloud (US-West)", false),
    row("us-iso-east-1", "US ISO East", false),
    row("us-iso-west-1", "US ISO West", false),
    row("us-isob-east-1", "US ISOB East (Ohio)", false),
    row("us-isob-west-1", "US ISOB West", false),
    row("us-isof-east-1", "US ISOF East", false),
    row("us-isof-south-1", "US ISOF South", false),
    row("us-west-1", "US West (N. California)", false),
    row("us-west-2", "US West (Oregon)", false),
];

pub(super) fn find(code: &str) -> Option<&'static Row> {
    REGIONS.binary_search_by_key(&code, |row| row.code).ok().map(|index| &REGIONS[index])
}

const fn row(code: &'static str, name: &'static str, opt_in: bool) -> Row {
    Row { code, name, opt_in }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_and_unique() {
        assert!(REGIONS.is_sorted_by(|one, other| one.code < other.code));
    }
}
