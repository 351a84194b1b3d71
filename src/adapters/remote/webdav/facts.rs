//! What was found out about a server, as the journal keeps it.
//!
//! In: powers. Out: names and values, and powers again. Invariant: what was kept is taken
//! over whole or not at all, so that a fact that an earlier release did not know is tried.
//! Deliberately absent: trying (`powers`). Leaves nothing behind. A new fact is a row on
//! both ways.

use super::extras::Extras;
use super::names::Kinds;
use super::powers::Powers;
use super::server::Server;
use journal_format::event::Fact;

impl Server {
    /// Takes over what was found out before.
    pub(super) fn recall(&self, facts: &[Fact]) {
        let Some(powers) = Powers::recalled(facts) else {
            return;
        };
        let find = |name: &str| facts.iter().find(|fact| fact.name == name);
        *self.product.borrow_mut() = find(PRODUCT).map(|fact| fact.value.clone());
        let case = find(FOLDS_CASE).and_then(|fact| fact.value.parse().ok());
        self.case.set(self.case.get().or(case));
        *self.known.borrow_mut() = Some(powers);
    }

    /// Returns what was found out since this was last asked.
    pub(super) fn found_out(&self) -> Option<Vec<Fact>> {
        if !self.is_news.take() {
            return None;
        }
        let known = self.known.borrow();
        let fact = |name: &str, value: String| Fact {
            name: name.to_owned(),
            value,
        };
        let known = known.as_ref()?;
        let told = known.facts().into_iter();
        let mut facts: Vec<Fact> = told
            .map(|(name, value)| fact(name, value.to_string()))
            .collect();
        let values = known.values().into_iter();
        facts.extend(values.map(|(name, value)| fact(name, value)));
        facts.push(fact(
            PRODUCT,
            self.product.borrow().clone().unwrap_or_default(),
        ));
        facts.push(fact("file_ids", self.is_oc.get().to_string()));
        if let Some(folds) = self.case.get() {
            facts.push(fact(FOLDS_CASE, folds.to_string()));
        }
        Some(facts)
    }
}

impl Powers {
    /// Returns the facts that are true or false by their names.
    pub(super) fn facts(&self) -> Vec<(&'static str, bool)> {
        let mut facts = vec![
            ("conditions", self.has_conditions),
            ("overwrite_refused", self.refuses_overwrite),
            ("mkcol_tells_taken", self.tells_taken),
            ("sharp_tags", self.has_sharp_tags),
            ("deep_tags", self.has_deep_tags),
            ("folder_tags", self.has_folder_tags),
            ("move_keeps_version", self.keeps_version),
            ("move_makes_parents", self.makes_parents),
            ("lists_dot_names", self.lists_dots),
            ("put_answers_tag", self.answers_tag),
            ("takes_time", self.takes_time),
            ("chunks", self.takes_chunks),
            ("chunk_conditions", self.guards_chunks),
        ];
        facts.extend(self.is_atomic.map(|is| ("atomic_put", is)));
        facts.extend(self.extras.facts());
        facts
    }

    /// Returns the other ones.
    fn values(&self) -> [(&'static str, String); 4] {
        [
            ("chunk_bytes_max", self.chunk_max.to_string()),
            ("time_grain_s", self.time_grain_s.to_string()),
            ("names_refused", self.refused.words()),
            ("names_hidden", self.hidden.words()),
        ]
    }

    /// Reads facts that were kept; nothing when one is missing that every trial tells.
    fn recalled(facts: &[Fact]) -> Option<Self> {
        let text = |name: &str| {
            let fact = facts.iter().find(|fact| fact.name == name)?;
            Some(fact.value.as_str())
        };
        let value = |name: &str| text(name)?.parse::<bool>().ok();
        let number = |name: &str| text(name)?.parse::<u64>().ok();
        Some(Self {
            has_conditions: value("conditions")?,
            refuses_overwrite: value("overwrite_refused")?,
            is_atomic: value("atomic_put"),
            tells_taken: value("mkcol_tells_taken")?,
            has_sharp_tags: value("sharp_tags")?,
            has_deep_tags: value("deep_tags")?,
            has_folder_tags: value("folder_tags")?,
            keeps_version: value("move_keeps_version")?,
            makes_parents: value("move_makes_parents")?,
            lists_dots: value("lists_dot_names")?,
            answers_tag: value("put_answers_tag")?,
            takes_time: value("takes_time")?,
            takes_chunks: value("chunks")?,
            guards_chunks: value("chunk_conditions")?,
            chunk_max: number("chunk_bytes_max")?,
            time_grain_s: number("time_grain_s")?,
            refused: Kinds::read(text("names_refused")?),
            hidden: Kinds::read(text("names_hidden")?),
            extras: Extras::recalled(value)?,
        })
    }
}

/// What the server calls itself.
const PRODUCT: &str = "server";
/// Whether names that differ in case only are one.
const FOLDS_CASE: &str = "folds_case";
