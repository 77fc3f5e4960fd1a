//! Checks again when recorded versions seem to be missing or changed: a single answer may be wrong,
//! and the repair cannot be undone.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, stream};
use klayers_core::{Digest, LayerName, LayerVersionArn, Region};

use super::compare::RegionView;
use super::{PARALLEL_QUESTIONS, ReconcileError, Reconciler, RecordedStatus, RegionReconciliation};
use crate::Error;
use klayers_publish::{InspectedVersion, ListedVersion, stated_digest};

/// The conclusion from two answers and two lists.
#[derive(Debug, Eq, PartialEq)]
enum Verdict {
    /// The version is as the second answer says.
    Believed(Option<InspectedVersion>),
    /// The answers contradict each other, so nothing is known.
    Contradicted,
}

impl Reconciler {
    /// Inspects suspect versions once more. Versions with contradicting answers count as not
    /// compared.
    pub(super) async fn look_again(
        &self,
        region: &Region,
        view: &mut RegionView,
        found: &mut RegionReconciliation,
    ) -> Result<(), Error> {
        let suspects = suspects(view);
        let layers: BTreeSet<LayerName> = suspects.iter().map(|arn| arn.name().clone()).collect();
        let listed: Vec<Vec<ListedVersion>> = stream::iter(layers)
            .map(|layer| async move { self.publisher.list(region, &layer).await })
            .buffer_unordered(PARALLEL_QUESTIONS)
            .try_collect()
            .await?;
        let listed: BTreeMap<LayerVersionArn, ListedVersion> =
            listed.into_iter().flatten().map(|version| (version.arn.clone(), version)).collect();
        let mut answers = stream::iter(suspects)
            .map(|arn| async move { (self.publisher.inspect(&arn).await, arn) })
            .buffer_unordered(PARALLEL_QUESTIONS);
        while let Some((second, arn)) = answers.next().await {
            let Some(first) = view.inspected.remove(&arn) else { continue };
            let second = match second {
                Ok(second) => second,
                Err(error) if error.concerns_region() => return Err(error.into()),
                Err(error) => {
                    found.failed.push((arn, error.into()));
                    continue;
                }
            };
            let recorded = view.recorded.get(&arn).and_then(|record| record.content);
            let lists = [view.listed.get(&arn), listed.get(&arn)];
            match verdict(recorded, lists, first.as_ref(), second) {
                Verdict::Believed(answer) => drop(view.inspected.insert(arn, answer)),
                Verdict::Contradicted => {
                    let error = ReconcileError::Contradiction(Box::new(arn.clone()));
                    found.failed.push((arn, error.into()));
                }
            }
        }
        Ok(())
    }
}

/// Returns the versions that are recorded as existing but do not seem to exist as recorded.
fn suspects(view: &RegionView) -> Vec<LayerVersionArn> {
    let is_suspect = |arn: &LayerVersionArn, answer: &Option<InspectedVersion>| {
        view.recorded.get(arn).is_some_and(|record| {
            record.status != RecordedStatus::Deleted
                && !is_as_recorded(record.content, answer.as_ref())
        })
    };
    let suspects = view.inspected.iter().filter(|(arn, answer)| is_suspect(arn, answer));
    suspects.map(|(arn, _)| arn.clone()).collect()
}

/// Whether a version exists with the recorded content. Adopted versions have no recorded content.
fn is_as_recorded(recorded: Option<Digest>, answer: Option<&InspectedVersion>) -> bool {
    answer.is_some_and(|answer| recorded.is_none_or(|recorded| recorded == answer.digest))
}

fn verdict(
    recorded: Option<Digest>,
    lists: [Option<&ListedVersion>; 2],
    first: Option<&InspectedVersion>,
    second: Option<InspectedVersion>,
) -> Verdict {
    if is_as_recorded(recorded, second.as_ref()) {
        return Verdict::Believed(second);
    }
    let agree = match (first, &second) {
        (None, None) => lists == [None, None],
        (Some(first), Some(second)) => {
            // A list that states the recorded content contradicts both answers.
            let all_list_it = lists.iter().all(Option::is_some);
            let mut stated =
                lists.into_iter().flatten().filter_map(|listed| stated_digest(&listed.description));
            let lists_agree = all_list_it && stated.all(|it| Some(it) != recorded);
            first.digest == second.digest && lists_agree
        }
        _ => false,
    };
    if agree { Verdict::Believed(second) } else { Verdict::Contradicted }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn digest(content: &str) -> Digest {
        Digest::of(content.as_bytes())
    }

    fn listed(content: &str) -> ListedVersion {
        let arn = "arn:aws:lambda:eu-west-1:000000000000:layer:Klayers-p312-a:1".parse().unwrap();
        let description = format!("a==1 | x | sha256:{}", digest(content));
        ListedVersion { arn, description, created_at: Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn version_is_lost_only_if_lists_and_answers_agree() {
        let (right, wrong) = (listed("right"), listed("wrong"));
        for (lists, answers, lost) in [
            ([None, None], [None, None], Some(true)),
            // One of the lists or answers contains the version.
            ([Some(&right), None], [None, None], None),
            ([None, Some(&right)], [None, None], None),
            ([Some(&right); 2], [None, Some("right")], Some(false)),
            ([None, None], [None, Some("right")], Some(false)),
            ([Some(&right); 2], [Some("wrong"), None], None),
            ([Some(&right); 2], [Some("wrong"), Some("right")], Some(false)),
            ([Some(&right); 2], [Some("wrong"), Some("wrong")], None),
            ([Some(&wrong); 2], [Some("wrong"), Some("wrong")], Some(true)),
            ([Some(&wrong); 2], [Some("wrong"), Some("other")], None),
            ([None, None], [Some("wrong"), Some("wrong")], None),
        ] {
            let [first, second] = answers.map(|content| {
                let digest = digest(content?);
                Some(InspectedVersion { digest, size: 1, is_public: true })
            });
            let recorded = Some(digest("right"));
            let outcome = match verdict(recorded, lists, first.as_ref(), second) {
                Verdict::Contradicted => None,
                Verdict::Believed(answer) => Some(!is_as_recorded(recorded, answer.as_ref())),
            };
            assert_eq!(outcome, lost, "{lists:?} {answers:?}");
        }
    }
}
