//! The protocol page, row by row, with the tests that show that the client survives it.
//!
//! In: what servers of version 6 to 8 were seen to do, numbered as the page that was
//! made of the recordings. Out: nothing. Invariant: each test that is named exists, each
//! test of the client's is named, so neither the page nor a test is forgotten when the
//! other changes. Deliberately absent: what the rows say in full. The next surprise is a
//! row here and a test with its name.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A row: its place on the page, what it says, and the tests that prove the answer to it.
type Row = (&'static str, &'static str, &'static [&'static str]);

const PAGE: &[Row] = &[
    // 0: the surprises
    (
        "0.1",
        "status 200 means nothing, and an unknown action gives nothing",
        &[
            "answer::a_status_200_is_judged_by_its_body",
            "answer::an_answer_in_no_known_form_leaves_a_change_in_doubt",
            "pydio_shapes::an_error_with_status_200_is_no_content",
        ],
    ),
    (
        "0.2",
        "the feed is a hint and may lie",
        &[
            "pydio_hidden::a_false_deletion_of_everything_that_begins_alike_is_looked_at_and_not_believed",
            "pydio_hidden::names_that_the_database_mixes_up_never_get_each_others_hash",
            "pydio_interop::the_merge_table_holds_with_every_quirk",
        ],
    ),
    (
        "0.3",
        "rows come ordered by node",
        &["rows::rows_come_sorted_by_sequence_and_below_the_filtered_folder"],
    ),
    (
        "0.4",
        "last_seq lies beyond what came",
        &["pydio_feed::a_change_between_the_servers_two_queries_is_not_skipped"],
    ),
    (
        "0.5",
        "nothing cannot be uploaded, and a forced mkfile empties",
        &["pydio_traps::an_empty_file_is_made_and_never_by_force"],
    ),
    (
        "0.6",
        "a further piece replaces the old version",
        &[
            "pydio_traps::an_interrupted_large_upload_never_costs_the_old_version",
            "pydio_traps::an_upload_cut_at_any_request_costs_no_version_and_no_second_run",
        ],
    ),
    (
        "0.7",
        "the end of a range does not belong to it",
        &["pydio_lies::a_download_goes_on_rightly_whatever_the_server_makes_of_a_range"],
    ),
    (
        "0.8",
        "a hash of a part comes as a slice of JSON",
        &["pydio_lies::a_resume_asks_for_no_hash_of_a_part_by_range"],
    ),
    (
        "0.9",
        "a signature covers the path as the server spells it",
        &[
            "auth::a_signature_is_the_one_a_server_accepted",
            "names::wire_form_is_the_form_that_is_signed",
            "pydio_names::every_fine_name_is_written_signed_and_read_back_under_any_base",
        ],
    ),
    (
        "0.10",
        "a query right after the action becomes part of it",
        &["pydio_lies::no_query_ever_becomes_part_of_an_action"],
    ),
    (
        "0.11",
        "507 is a full quota or a lock",
        &["pydio_traps::a_full_quota_and_a_locked_file_are_told_apart"],
    ),
    (
        "0.12",
        "a hash may be old for ever",
        &[
            "pydio_traps::a_hash_that_stays_stale_is_seen_through",
            "pydio_e2e::an_old_hash_is_no_proof_that_a_file_of_another_size_is_the_same",
        ],
    ),
    (
        "0.13",
        "the user agent changes answers",
        &["pydio_lies::every_request_comes_from_what_the_server_takes_for_a_sync_client"],
    ),
    // 1: addresses
    (
        "1",
        "a base path, slashes at ends, plus signs",
        &[
            "names::wire_form_is_the_form_that_is_signed",
            "pydio_names::every_fine_name_is_written_signed_and_read_back_under_any_base",
        ],
    ),
    // 2: who asks
    (
        "2.1",
        "name and password; a workspace may be forbidden without a challenge",
        &[
            "pydio_faults::refused_credentials_are_asked_once_and_then_left_alone",
            "pydio_faults::a_wrong_password_is_tried_once_however_many_jobs_have_it",
            "pydio_names::a_workspace_or_folder_that_is_not_there_is_missing_and_never_empty",
            "pydio_e2e::a_wrong_password_and_a_missing_workspace_are_told_by_their_codes",
        ],
    ),
    (
        "2.2",
        "key pairs: one a device, revoked by the next, refused with nothing",
        &[
            "pydio_faults::keys_that_were_revoked_are_renewed_once_for_all",
            "pydio_faults::two_jobs_of_one_user_do_not_revoke_each_others_keys",
            "pydio_names::a_server_without_hashes_or_tokens_is_served_all_the_same",
            "auth::an_empty_answer_is_no_pair",
        ],
    ),
    (
        "2.3",
        "the signature itself, in the query",
        &[
            "auth::a_signature_is_the_one_a_server_accepted",
            "pydio_faults::no_message_holds_a_signature_or_a_password",
        ],
    ),
    // 3: answers
    (
        "3",
        "shapes of answers and errors",
        &[
            "answer::a_status_200_is_judged_by_its_body",
            "answer::an_answer_in_no_known_form_is_no_listing_and_no_json",
            "xml::a_listing_that_is_cut_anywhere_is_never_a_listing",
            "xml::messages_and_differences_are_told_apart",
            "xml::html_and_deep_nesting_are_no_documents",
            "pydio_shapes::of_many_folders_in_one_request_those_that_can_be_are_made",
            "pydio_names::a_read_only_workspace_is_told_with_a_way_out",
            "pydio_faults::a_listing_that_fails_in_any_way_proves_nothing_absent",
            "pydio_faults::a_change_that_failed_before_it_happened_is_no_success_and_changed_nothing",
            "pydio_faults::a_change_whose_answer_got_lost_is_in_doubt",
            "pydio_faults::a_server_that_moved_is_not_followed_with_credentials",
            "pydio_faults::a_server_that_says_nothing_is_given_up_and_a_slow_one_is_not",
            "pydio_e2e::faults_of_every_kind_end_in_the_right_tree",
        ],
    ),
    // 4: what there is
    (
        "4.1",
        "workspaces: one is no list, some have no feed, one may be each user's",
        &[
            "workspace::one_workspace_is_an_object_and_many_are_an_array",
            "pydio_faults::a_workspace_that_was_made_anew_under_its_name_is_another_root",
            "pydio_faults::a_right_that_was_taken_away_is_seen_at_the_next_look_at_the_root",
            "pydio_names::workspaces_and_facts_are_told_before_a_job_is_made",
            "pydio_names::a_root_is_known_by_id_alias_and_scheme_free_name",
            "pydio_feed::a_workspace_without_a_feed_says_so_and_is_listed",
        ],
    ),
    (
        "4.2",
        "parameters are JSON in texts in JSON",
        &["workspace::limits_are_json_inside_texts_in_arrays_or_objects"],
    ),
    // 5: listings
    (
        "5",
        "pages cut recursive listings, too; the bin and hidden names",
        &[
            "pydio_bin::what_a_server_hides_in_a_folder_outlives_the_removal_of_the_folder",
            "xml::a_listing_keeps_its_nesting_and_archives_are_files",
            "pydio_names::a_folder_above_the_page_limit_is_listed_whole_and_recursion_is_not_trusted",
            "pydio_names::names_that_cannot_be_reached_are_told_as_such_and_never_as_absent",
            "pydio_lies::every_request_comes_from_what_the_server_takes_for_a_sync_client",
        ],
    ),
    // 6: looks
    (
        "6.1",
        "a missing node is {}, and sizes may be negative",
        &[
            "stat::only_an_empty_object_says_absent",
            "pydio_names::a_server_without_hashes_or_tokens_is_served_all_the_same",
        ],
    ),
    (
        "6.2",
        "one node in bulk is not keyed, one bad name spoils all",
        &[
            "stat::an_answer_about_one_path_is_never_taken_for_one_about_several",
            "stat::keys_match_in_whatever_normal_form_they_come_back",
            "pydio_names::names_that_cannot_be_reached_are_told_as_such_and_never_as_absent",
        ],
    ),
    (
        "6.3",
        "hashes may be missing or old",
        &[
            "pydio_shapes::a_server_that_hashes_nothing_is_believed_by_size_and_content",
            "pydio_traps::a_hash_that_stays_stale_is_seen_through",
            "pydio_feed::an_edit_of_equal_size_within_one_second_is_seen",
        ],
    ),
    // 7: files
    (
        "7.1",
        "mkdir makes one level, and in bulk what it can",
        &[
            "pydio_shapes::of_many_folders_in_one_request_those_that_can_be_are_made",
            "pydio_names::many_small_files_cost_about_one_request_each",
        ],
    ),
    (
        "7.2",
        "mkfile",
        &["pydio_traps::an_empty_file_is_made_and_never_by_force"],
    ),
    (
        "7.3",
        "an upload replaces, and may store under another name",
        &[
            "pydio_traps::something_new_never_replaces_what_came_in_between",
            "pydio_traps::a_large_replacement_is_looked_at_again_before_its_last_bytes",
            "pydio_traps::a_replacement_follows_its_look_whatever_else_waits",
            "pydio_names::a_decomposed_name_of_ours_is_found_as_the_server_composes_it",
            "send::a_form_names_its_fields_and_its_length",
        ],
    ),
    (
        "7.4",
        "pieces",
        &[
            "pydio_traps::an_upload_goes_on_with_its_part_and_not_with_another_ones",
            "pydio_parts::two_clients_that_send_one_name_at_once_never_leave_a_mix",
            "pydio_parts::a_client_that_gives_up_leaves_the_part_that_another_one_began",
            "pydio_traps::content_just_above_the_limit_goes_in_two_pieces_at_least",
            "pydio_faults::a_piece_whose_answer_got_lost_is_not_sent_twice",
            "pydio_shapes::a_part_that_vanishes_or_grows_under_an_upload_costs_no_version",
            "pydio_e2e::a_kill_in_the_middle_of_a_large_upload_or_download_costs_nothing",
        ],
    ),
    (
        "7.5",
        "codes in texts, and bodies that PHP drops",
        &[
            "pydio_traps::a_limit_below_what_the_server_says_is_found_out",
            "answer::a_status_200_is_judged_by_its_body",
        ],
    ),
    (
        "7.6",
        "downloads: errors as content, ranges of three kinds",
        &[
            "pydio_lies::a_download_goes_on_rightly_whatever_the_server_makes_of_a_range",
            "pydio_faults::a_download_that_breaks_goes_on_where_it_was_and_never_ends_short",
            "pydio_faults::content_that_changes_while_it_is_read_is_refused_at_its_end",
            "pydio_shapes::an_error_with_status_200_is_no_content",
        ],
    ),
    (
        "7.7",
        "rename in one call, the flat bin, deletions behind the answer",
        &[
            "pydio_e2e::a_renamed_folder_is_one_request_beside_the_looks_whatever_it_holds",
            "pydio_traps::what_lies_in_the_flat_bin_is_never_replaced",
            "pydio_bin::what_comes_into_a_folder_at_the_last_moment_brings_it_back",
            "pydio_bin::a_bin_of_any_name_keeps_all_versions_and_is_left_out",
            "pydio_bin::what_the_feed_tells_of_a_bin_of_any_name_is_no_hint",
            "pydio_bin::a_bin_is_asked_for_once_a_round_however_many_folders_are_removed",
            "change::a_name_in_the_bin_keeps_its_extension_and_fits",
            "pydio_lies::what_is_written_after_a_deletion_in_the_background_stays",
            "pydio_lies::a_deletion_in_the_background_that_meets_another_version_is_in_doubt",
        ],
    ),
    (
        "7.8",
        "the quota counts everything",
        &["pydio_traps::a_full_quota_and_a_locked_file_are_told_apart"],
    ),
    (
        "7.9",
        "locks show in listings only",
        &["pydio_traps::a_full_quota_and_a_locked_file_are_told_apart"],
    ),
    (
        "7.10",
        "a new index, a resynced one",
        &[
            "pydio_hidden::an_index_that_was_made_anew_deletes_nothing",
            "pydio_lies::rows_that_only_tell_the_time_of_a_folder_cost_no_look",
        ],
    ),
    (
        "7.11",
        "deltas by rsync: not used, rare, and the server hashes all the same",
        &[],
    ),
    // 8: the feed
    (
        "8.1",
        "a stream without its last line was cut",
        &[
            "rows::a_feed_that_is_cut_anywhere_does_not_count",
            "rows::an_empty_feed_has_its_end_and_no_feed_has_none",
            "pydio_feed::a_feed_that_is_cut_or_garbled_leaves_the_cursor_where_it_was",
            "pydio_feed::an_idle_feed_costs_one_request_and_a_start_needs_no_listing",
            "pydio_e2e::a_run_without_changes_costs_a_handful_of_requests",
        ],
    ),
    (
        "8.2",
        "rows: numbers as texts, rows of a folder's time, nodes that are gone",
        &[
            "pydio_feed::numbers_that_come_as_texts_are_numbers",
            "pydio_lies::rows_that_only_tell_the_time_of_a_folder_cost_no_look",
            "rows::rows_come_sorted_by_sequence_and_below_the_filtered_folder",
        ],
    ),
    (
        "8.3",
        "one counter for all workspaces, which may begin again",
        &[
            "pydio_feed::a_feed_that_starts_anew_is_told_and_everything_is_looked_at",
            "pydio_feed::a_feed_that_was_rolled_back_and_went_on_is_told_by_another_row_at_a_known_number",
            "pydio_feed::a_feed_that_lost_the_change_of_what_is_there_went_back_whoever_took_its_number",
            "pydio_feed::what_was_restored_and_came_to_the_same_newest_change_is_seen_by_a_process_that_begins",
            "pydio_feed::ids_that_a_restored_server_gives_again_are_other_ids",
            "trail::a_feed_that_went_back_or_was_replaced_is_seen",
            "trail::a_row_is_lost_where_its_node_still_is_and_hidden_where_nothing_is",
            "trail::few_anchors_are_kept_dense_at_the_end_and_a_cursor_has_room_for_them",
            "trail::words_that_are_no_anchors_are_nothing",
            "feed::a_cursor_is_read_back_and_nonsense_is_none",
            "pydio_feed::a_cursor_of_another_folder_or_filter_means_looking_at_everything",
        ],
    ),
    (
        "8.4",
        "rows of one node are merged, which is read only from the beginning",
        &["pydio_feed::the_first_listing_knows_ids_and_hashes_from_one_reading_of_the_feed"],
    ),
    (
        "8.5",
        "what operations write, also the way back from the bin",
        &[
            "pydio_feed::a_move_shows_the_same_node_at_its_new_place",
            "pydio_feed::what_we_write_has_its_id_at_once_and_its_echo_says_nothing_new",
            "pydio_lies::what_comes_back_from_the_bin_is_the_node_that_it_was",
            "index::what_is_moved_to_the_bin_is_nowhere",
        ],
    ),
    (
        "8.6.1",
        "false deletions of what begins alike",
        &[
            "pydio_hidden::a_false_deletion_of_everything_that_begins_alike_is_looked_at_and_not_believed",
        ],
    ),
    (
        "8.6.2",
        "what survived one is renamed without a word",
        &["pydio_lies::what_survived_a_false_deletion_is_followed_although_the_feed_lost_it"],
    ),
    (
        "8.6.3",
        "case and accents do not count",
        &[
            "pydio_hidden::names_that_the_database_mixes_up_never_get_each_others_hash",
            "pydio_hidden::a_rename_of_letters_case_alone_is_looked_at_under_both_names",
            "index::names_that_a_database_mixes_up_get_no_hash",
            "names::the_bin_is_told_by_prefix_and_twins_by_folding",
        ],
    ),
    (
        "8.6.4",
        "emoji are never in the feed",
        &[
            "pydio_hidden::names_that_the_feed_never_shows_are_in_the_full_listing",
            "pydio_hidden::what_no_feed_shows_shows_in_the_times_of_folders",
        ],
    ),
    (
        "8.6.5",
        "SQLite hides moves of folders",
        &[
            "pydio_hidden::a_database_that_hides_moves_of_folders_is_caught_by_the_full_listing",
            "pydio_hidden::what_no_feed_shows_shows_in_the_times_of_folders",
            "index::renames_and_removals_of_ours_carry_what_lies_below",
        ],
    ),
    (
        "8.6.6",
        "several ids for one path",
        &[
            "pydio_hidden::several_ids_for_one_path_are_no_identity",
            "index::several_ids_for_one_path_are_none",
        ],
    ),
    (
        "8.6.7",
        "a filtered folder that is renamed looks like deletions",
        &["pydio_feed::a_filtered_folder_that_is_renamed_is_a_missing_root_and_no_deletions"],
    ),
    (
        "8.6.8",
        "rights rewrite rows",
        &[
            "pydio_lies::what_rights_hide_is_gone_and_what_they_show_is_new_and_nothing_was_rolled_back",
        ],
    ),
    (
        "8.6.9",
        "events come after their answers",
        &[
            "pydio_interop::nothing_is_lost_where_the_feed_lags_behind",
            "pydio_feed::a_feed_that_lags_behind_gives_the_id_later",
        ],
    ),
    (
        "8.7",
        "echoes say nothing new, what is below a moved folder is looked at once",
        &[
            "pydio_feed::what_we_write_has_its_id_at_once_and_its_echo_says_nothing_new",
            "feed::places_below_one_that_is_looked_at_wholly_are_left_out",
            "pydio_hidden::a_change_that_the_feed_or_we_tell_of_is_no_hidden_one",
        ],
    ),
    // 9 and on
    (
        "9",
        "names that servers alter, cut or lose",
        &[
            "pydio_interop::a_name_composed_there_and_decomposed_here_is_one_file",
            "names::a_name_has_two_spellings_at_most_or_is_a_mixture",
            "names::names_the_server_would_alter_are_refused_beforehand",
            "pydio_names::names_the_server_would_alter_are_refused_before_anything_is_sent",
            "pydio_names::names_that_cannot_be_reached_are_told_as_such_and_never_as_absent",
            "pydio_names::every_fine_name_is_written_signed_and_read_back_under_any_base",
        ],
    ),
    (
        "10",
        "times are whole seconds and the server's own",
        &[
            "pydio_feed::an_edit_of_equal_size_within_one_second_is_seen",
            "index::a_hash_counts_only_for_its_size_and_time",
        ],
    ),
    ("11", "push by websocket: not used, the feed is asked", &[]),
    ("12", "sessions of browsers: not used", &[]),
    (
        "13",
        "both generations of servers",
        &[
            "pydio_interop::the_merge_table_holds_on_both_generations",
            "pydio_interop::the_merge_table_holds_with_every_quirk",
            "pydio_interop::the_merge_table_holds_with_faults_in_every_run",
        ],
    ),
];

/// Tests of the client's that are about no row: networks, limits, our own machinery.
const BESIDE: &[&str] = &[
    "batch::questions_of_one_turn_share_a_request_of_bounded_size",
    "batch::a_dropped_asker_leaves_the_others_their_answer",
    "batch::a_batch_that_nobody_waits_for_goes_with_its_batcher",
    "batch::a_batch_waits_for_who_is_coming_and_no_longer",
    "clock::a_date_of_http_is_read_and_nothing_else",
    "folders::a_time_that_nobody_explains_is_told_once",
    "folders::many_folders_are_asked_for_more_seldom",
    "pydio_e2e::the_old_flags_sync_both_ways_and_then_nothing_is_left_to_do",
    "pydio_e2e::two_clients_of_a_server_with_every_quirk_become_equal",
    "pydio_e2e::edits_on_both_sides_end_as_two_files_on_both",
    "pydio_interop::the_merge_table_holds_on_the_server_of_the_environment",
    "pydio_interop::kills_at_random_requests_of_two_clients_lose_nothing",
    "pydio_network::a_certificate_counts_only_with_its_authority_or_by_trust_ssl",
    "pydio_network::a_file_without_certificates_is_refused_before_anything_is_sent",
    "pydio_network::everything_goes_through_the_proxy_and_nothing_around_it",
    "pydio_network::no_more_is_sent_than_the_limit_allows_as_the_server_sees_it",
    "pydio_network::no_more_is_read_than_the_limit_allows",
    "pydio_page::each_row_has_its_tests_and_each_test_its_row",
];

/// All tests of the client's, as `file::name`.
fn tests() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = BTreeSet::new();
    for (room, prefix) in [("tests/it", "pydio_"), ("src/adapters/remote/pydio", "")] {
        for entry in fs::read_dir(root.join(room)).expect("a room") {
            let path = entry.expect("an entry").path();
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            let stem = stem.filter(|stem| stem.starts_with(prefix));
            let Some(stem) = stem.filter(|_| path.is_file()) else {
                continue;
            };
            let text = fs::read_to_string(&path).expect("a source file");
            for part in text.split("#[test]\n").skip(1) {
                let name = part.split_once("fn ").map_or("", |(_, rest)| rest);
                let name = name.split('(').next().unwrap_or_default();
                found.insert(format!("{stem}::{name}"));
            }
        }
    }
    found
}

#[test]
fn each_row_has_its_tests_and_each_test_its_row() {
    let there = tests();
    assert!(there.len() > 100, "{}", there.len());
    let rows = PAGE.iter().flat_map(|(_, _, tests)| tests.iter());
    let named: BTreeSet<String> = rows.chain(BESIDE).map(|name| (*name).to_owned()).collect();
    let missing: Vec<_> = named.difference(&there).collect();
    assert!(missing.is_empty(), "named and not there: {missing:#?}");
    let forgotten: Vec<_> = there.difference(&named).collect();
    assert!(forgotten.is_empty(), "there and not named: {forgotten:#?}");
    for (row, what, tests) in PAGE {
        let is_left_out = what.contains("not used");
        assert_eq!(tests.is_empty(), is_left_out, "{row}: {what}");
    }
    let places: BTreeSet<_> = PAGE.iter().map(|(row, ..)| row).collect();
    assert_eq!(places.len(), PAGE.len(), "a row stands there twice");
}
