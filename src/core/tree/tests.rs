//! Names and places.

use super::{Facet, Facts, Location, NodeId, Presence, Tree};
use crate::spelling::canonical;
use journal_format::value::{Kind, RelPath, Side};

fn put(tree: &mut Tree, side: Side, parent: NodeId, name: &str, kind: Kind) -> NodeId {
    let id = tree.create(kind);
    let location = Location {
        parent,
        name: tree.name_for(id, name),
    };
    let facet = Facet {
        presence: Presence::Present,
        location,
        facts: Facts::NONE,
    };
    tree.set_facet(id, side, facet);
    tree.check().expect("the tree is sound");
    id
}

#[test]
fn spellings_of_one_name_share_a_place_and_keep_their_bytes() {
    let mut tree = Tree::default();
    let composed = put(&mut tree, Side::Local, NodeId::ROOT, "\u{e9}", Kind::File);
    let at: Vec<NodeId> = tree.at_place(NodeId::ROOT, "e\u{301}").collect();
    assert_eq!(at, [composed]);
    assert_eq!(tree.child(Side::Local, NodeId::ROOT, "e\u{301}"), None);
    assert_eq!(
        tree.child(Side::Local, NodeId::ROOT, "\u{e9}"),
        Some(composed)
    );
}

#[test]
fn case_makes_a_name_another_one_unless_a_side_folds_it() {
    for (fold_case, same) in [(false, false), (true, true)] {
        assert_eq!(
            canonical("Straße.TXT", fold_case) == canonical("straße.txt", fold_case),
            same
        );
    }
}

#[test]
fn walking_up_from_an_absent_facet_meets_nobody() {
    let mut tree = Tree::default();
    let file = put(&mut tree, Side::Local, NodeId::ROOT, "a", Kind::File);
    assert_eq!(tree.ancestors(Side::Remote, file).count(), 0);
    assert_eq!(tree.ancestors(Side::Local, file).count(), 0);
}

#[test]
fn a_dropped_node_has_its_place_used_again_once_nobody_holds_it() {
    let mut tree = Tree::default();
    let first = put(&mut tree, Side::Local, NodeId::ROOT, "a", Kind::File);
    let uid = tree.node(first).uid;
    tree.set_facet(first, Side::Local, Facet::ABSENT);
    assert!(tree.get(first).is_none());
    let meanwhile = put(&mut tree, Side::Local, NodeId::ROOT, "b", Kind::File);
    assert_ne!(meanwhile, first);
    tree.recycle();
    let later = put(&mut tree, Side::Local, NodeId::ROOT, "c", Kind::File);
    assert_eq!(later, first);
    assert_ne!(tree.node(later).uid, uid);
}

#[test]
fn paths_are_derived_from_directories() {
    let mut tree = Tree::default();
    let directory = put(&mut tree, Side::Local, NodeId::ROOT, "d", Kind::Directory);
    let file = put(&mut tree, Side::Local, directory, "x", Kind::File);
    let wanted = RelPath::new("d/x").expect("a valid path");
    assert_eq!(tree.path(Side::Local, file), Some(wanted.clone()));
    assert_eq!(tree.lookup(Side::Local, &wanted), Some(file));
    assert_eq!(tree.lookup(Side::Remote, &wanted), None);
    assert_eq!(tree.subtree(Side::Local, directory), [directory, file]);
}
