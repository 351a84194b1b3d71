//! Subscriptions against the plainest possible filter.

use crate::adapters::zmtp::filter::Filter;
use crate::adapters::zmtp::limits::Limits;
use proptest::prelude::*;
use std::collections::BTreeSet;

proptest! {
    #[test]
    fn a_topic_is_wanted_if_it_begins_with_a_subscription(
        changes in prop::collection::vec((any::<bool>(), "[ab]{0,4}"), 0..40),
        topics in prop::collection::vec("[abc]{0,6}", 1..20),
    ) {
        let limits = Limits::publishing();
        let mut filter = Filter::default();
        let mut plain = BTreeSet::new();
        for (subscribes, prefix) in changes {
            if subscribes {
                filter.subscribe(prefix.clone().into_bytes(), &limits).expect("few and short");
                plain.insert(prefix);
            } else {
                filter.cancel(prefix.as_bytes());
                plain.remove(&prefix);
            }
        }
        prop_assert_eq!(filter.is_empty(), plain.is_empty());
        for topic in topics {
            let wanted = plain.iter().any(|prefix| topic.starts_with(prefix.as_str()));
            prop_assert_eq!(filter.matches(topic.as_bytes()), wanted, "{} in {:?}", topic, plain);
        }
    }
}

#[test]
fn subscriptions_are_bounded_in_number_and_bytes() {
    let limits = Limits {
        subscriptions_max: 3,
        subscription_bytes_max: 10,
        ..Limits::publishing()
    };
    let mut filter = Filter::default();
    assert!(filter.subscribe(vec![b'x'; 11], &limits).is_err());
    for prefix in ["a", "b", "b", "c"] {
        assert!(filter.subscribe(prefix.into(), &limits).is_ok(), "{prefix}");
    }
    assert!(filter.subscribe("d".into(), &limits).is_err());
    filter.cancel(b"a");
    assert!(
        filter.subscribe(vec![b'd'; 9], &limits).is_err(),
        "the bytes of all count"
    );
    assert!(filter.subscribe(vec![b'd'; 8], &limits).is_ok());
}
