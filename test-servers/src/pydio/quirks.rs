//! What real servers do wrong or differently, each by a name that switches it.
//!
//! In: names. Out: a set that the actions ask. Invariant: without a quirk the server
//! does what a reader of its documentation would expect; with it, what was observed.
//! Deliberately absent: behaviour that every server shows (errors with status 200,
//! the flat bin), which has no switch. The next one: a line in the table below.

use std::fmt;

macro_rules! quirks {
    ($($variant:ident, $name:literal, $since:ident, $what:literal;)*) => {
        /// One deviation, see [`Quirk::what`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Quirk {
            $(#[doc = $what] $variant,)*
        }

        impl Quirk {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its name on a command line.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Describes it in one line.
            #[must_use]
            pub const fn what(self) -> &'static str {
                match self { $(Self::$variant => $what,)* }
            }

            const fn seen_in(self) -> Seen {
                match self { $(Self::$variant => Seen::$since,)* }
            }
        }
    };
}

/// Which servers have a quirk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// 6.x to 8.x on MySQL or MariaDB.
    Both,
    /// 6.x only.
    Six,
    /// 8.x only.
    Eight,
    /// Some installations of either.
    Some,
}

quirks! {
    PrefixDeletes, "prefix-deletes", Both, "deleting /foo drops the index rows of everything that begins with /foo";
    Collation, "collation", Both, "the index takes names that differ by case or accent for one";
    NoAstral, "no-astral", Both, "names with characters beyond U+FFFF are never indexed";
    ManyIds, "many-ids", Both, "a chunked overwrite or a forced mkfile makes a second node id for the path";
    SameSecond, "same-second", Both, "an overwrite that changes nothing in the index adds a create with a new id";
    StaleHash, "stale-hash", Both, "stat_hash trusts a hash as long as its second is not older than the file's";
    GlobalSequence, "global-sequence", Both, "last_seq of the unflattened feed counts all workspaces";
    BinPrefix, "bin-prefix", Both, "every path that begins with /recycle_bin is taken for the bin";
    Clobber, "clobber", Both, "a further chunk is first stored under its own name, over what is there";
    ExclusiveRange, "exclusive-range", Both, "the end of a range does not belong to it";
    SlicedHash, "sliced-hash", Both, "stat_hash with a range answers a slice of its JSON text";
    NativeListing, "native-listing", Both, "listings depend on the user agent";
    PagedRecursion, "paged-recursion", Both, "pages cut recursive listings as well, and the rest is missing";
    TagsStripped, "tags-stripped", Both, "angle brackets in path parameters are taken for tags";
    UploadNfc, "upload-nfc", Both, "upload composes names (NFC), other actions keep them";
    QuestionCut, "question-cut", Six, "what mkdir and rename give a question mark cannot be reached: paths end there";
    StripNames, "strip-names", Six, "forbidden characters in upload names vanish silently";
    LongNamesCut, "long-names-cut", Both, "names beyond 255 bytes are cut silently";
    SuspiciousNames, "suspicious-names", Both, "names that look like scripts become one fixed name";
    PlusIsSpace, "plus-is-space", Six, "a plus in a path is a space";
    QueryInAction, "query-in-action", Six, "a query right after the action belongs to its name";
    AuthHeaderBug, "auth-header-bug", Both, "the Pydio-Auth headers are read from the Auth ones";
    CaseRenameIsContent, "case-rename-is-content", Six, "a rename that changes only case is a content row";
    RefuseNames, "refuse-names", Eight, "forbidden characters in names are an error";
    StatusFromCode, "status-from-code", Eight, "error codes 101 to 598 become the HTTP status";
    BackgroundDeletes, "background-deletes", Eight, "what is large is deleted for good after the answer, while other requests come";
    UnknownIsError, "unknown-is-error", Eight, "an unknown action or workspace is an XML error";
    Sqlite, "sqlite", Some, "renames and moves of folders are missing from the feed";
    DeferredEvents, "deferred-events", Some, "the first feed after a write does not have it yet";
    RangeIgnored, "range-ignored", Some, "something on the way takes ranges off downloads: the whole comes";
    NoTokens, "no-tokens", Some, "the server gives out no key pairs";
    TextNumbers, "text-numbers", Some, "numbers in the feed are texts";
    NegativeSizes, "negative-sizes", Some, "sizes from 2 GiB on are negative in stat";
    EmptyArray, "empty-array", Some, "a missing node is [] instead of {} in stat";
}

/// A set of [`Quirk`]s.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Quirks(u64);

impl Quirks {
    /// None: the server that one would wish for.
    #[must_use]
    pub const fn none() -> Self {
        Self(0)
    }

    /// Everything that one server can do at once: 6.4 and what some installations add.
    #[must_use]
    pub fn all() -> Self {
        Self::of(&[Seen::Both, Seen::Six, Seen::Some])
            .without(Quirk::NoTokens)
            .without(Quirk::RangeIgnored)
    }

    /// What 6.4 on MariaDB does.
    #[must_use]
    pub fn v6_4() -> Self {
        Self::of(&[Seen::Both, Seen::Six])
    }

    /// What 8.2 on MySQL does.
    #[must_use]
    pub fn v8_2() -> Self {
        Self::of(&[Seen::Both, Seen::Eight])
    }

    /// This set and one more.
    #[must_use]
    pub const fn with(self, quirk: Quirk) -> Self {
        Self(self.0 | 1 << quirk as u64)
    }

    /// This set but one.
    #[must_use]
    pub const fn without(self, quirk: Quirk) -> Self {
        Self(self.0 & !(1 << quirk as u64))
    }

    /// Whether the set has it.
    #[must_use]
    pub const fn has(self, quirk: Quirk) -> bool {
        self.0 & (1 << quirk as u64) != 0
    }

    /// Reads a preset (`none`, `all`, `6.4`, `8.2`) or adds or (`without-...`) removes one.
    ///
    /// # Errors
    /// The name, if there is no such preset or quirk.
    pub fn apply(self, name: &str) -> Result<Self, String> {
        match name {
            "none" => return Ok(Self::none()),
            "all" => return Ok(Self::all()),
            "6.4" => return Ok(Self::v6_4()),
            "8.2" => return Ok(Self::v8_2()),
            _ => {}
        }
        let find = |name: &str| Quirk::ALL.iter().copied().find(|q| q.name() == name);
        if let Some(quirk) = find(name) {
            return Ok(self.with(quirk));
        }
        match name.strip_prefix("without-").and_then(find) {
            Some(quirk) => Ok(self.without(quirk)),
            None => Err(name.to_owned()),
        }
    }

    fn of(seen: &[Seen]) -> Self {
        Quirk::ALL
            .iter()
            .filter(|quirk| seen.contains(&quirk.seen_in()))
            .fold(Self::none(), |set, quirk| set.with(*quirk))
    }
}

impl fmt::Debug for Quirks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(Quirk::ALL.iter().filter(|quirk| self.has(**quirk)))
            .finish()
    }
}
