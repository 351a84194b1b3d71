//! Lines of arguments, as a table.

use super::*;

#[test]
fn the_command_is_sound_and_every_run_flag_is_listed() {
    Args::command().debug_assert();
    let global = Args::command()
        .get_arguments()
        .filter(|argument| argument.is_global_set())
        .count();
    // Beside those, clap has `help` and `version`.
    let own = Args::command().get_arguments().count() - global;
    assert_eq!(own, RUN_FLAGS.len());
}

#[test]
fn a_line_means_what_the_table_says() {
    let table = [
        ("-s /a -d /b -dir up", true),
        ("-s /a -d /b -dir=down", true),
        ("-s /a -d /b -dir sideways", false),
        ("-s /a -d /b -u me -p secret -w ws -r /x", true),
        ("--remote_folder /x --zmq_port 7000 -d /b", true),
        ("-z auto -d /b", true),
        ("-z 65535 -d /b", false),
        ("-z seven -d /b", false),
        ("-d /b -f jobs.json", false),
        ("-f jobs.json --once --json -q", true),
        ("-q -v", false),
        ("status", true),
        ("status --json --state-dir /x", true),
        ("--state-dir /x status job", true),
        ("--once status", false),
        ("status --watch", true),
        ("sync-now job", true),
        ("pause", true),
        ("events --follow --from 3", true),
        ("explain a/b", true),
        ("explain job a/b", true),
        ("explain", false),
        ("resolve a/b --keep both", true),
        ("resolve job a/b --keep both", true),
        ("resolve job ../b --keep both", false),
        ("resolve a/b", false),
        ("trash restore 00ff --to x", true),
        ("service install -f jobs.json --print", true),
        ("service install", false),
        ("service", false),
        ("login -s http://h -u me --password-file -", true),
        ("login -s http://h -u me -p x --password-file y", false),
        ("logout", true),
        (
            "jobs add -s http://h -w ws -u me -d /b -dir up --id x",
            true,
        ),
        ("jobs add -s http://h", false),
        ("jobs remove x -f y", true),
        ("jobs check", false),
        ("jobs check jobs.json", true),
        ("jobs check -s http://h -u me", true),
        ("jobs check jobs.json -s http://h", false),
        ("doctor --json", true),
        ("completions bash", true),
        ("completions cmd.exe", false),
    ];
    for (line, is_right) in table {
        let words = std::iter::once("pydio-sync").chain(line.split(' '));
        let parsed = Args::parse_from_os(words.map(OsString::from));
        assert_eq!(parsed.is_ok(), is_right, "{line}: {parsed:?}");
    }
}
