//! What counts as a multistatus, whatever the pieces in which it comes.

use super::*;

const LISTING: &str = concat!(
    "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
    "<d:multistatus xmlns:d=\"DAV:\" xmlns:oc=\"http://owncloud.org/ns\" note='a > b'>\n",
    "<!-- a > comment -->",
    "<d:response><d:href>/x/</d:href><d:propstat><d:prop><d:resourcetype><d:collection/>",
    "</d:resourcetype><d:getetag>&quot;5f&quot;</d:getetag></d:prop><d:status>HTTP/1.1 200 OK",
    "</d:status></d:propstat><d:propstat><d:prop><d:getcontentlength>9</d:getcontentlength>",
    "</d:prop><d:status>HTTP/1.1 404 Not Found</d:status></d:propstat></d:response>",
    "<response xmlns=\"DAV:\"><href>/x/a&amp;b%20&#233;</href><propstat><prop><resourcetype/>",
    "<getcontentlength>12</getcontentlength><getlastmodified>Sun, 06 Nov 1994 08:49:37 GMT",
    "</getlastmodified><fileid xmlns=\"http://owncloud.org/ns\">7</fileid></prop>",
    "<status>HTTP/1.1 200 OK</status></propstat></response>",
    "<d:response><d:href>/x/c</d:href><d:status>HTTP/1.1 403 Forbidden</d:status></d:response>",
    "</d:multistatus>\n",
);

fn read(pieces: &[&[u8]]) -> Result<Vec<Response>, String> {
    let (mut reader, mut found) = (Reader::default(), Vec::new());
    for piece in pieces {
        reader.push(piece, &mut |response| found.push(response))?;
    }
    reader.end()?;
    Ok(found)
}

#[test]
fn responses_are_the_same_in_whatever_pieces_they_come() {
    let whole = read(&[LISTING.as_bytes()]).expect("a multistatus");
    assert_eq!(whole.len(), 3);
    assert_eq!(whole[0].props.is_folder, Some(true));
    assert_eq!(
        (whole[0].props.etag.as_deref(), whole[0].props.size),
        (Some("\"5f\""), None)
    );
    assert_eq!(whole[1].href, "/x/a&b%20é");
    assert_eq!(whole[1].props.is_folder, Some(false));
    assert_eq!(
        (
            whole[1].props.size,
            whole[1].props.mtime,
            whole[1].props.file_id
        ),
        (Some(12), Some(784_111_777), Some(7))
    );
    assert_eq!(
        (whole[2].status, whole[2].props.is_folder),
        (Some(403), None)
    );
    for size in [1, 2, 3, 7, 64, 300] {
        let pieces: Vec<&[u8]> = LISTING.as_bytes().chunks(size).collect();
        assert_eq!(read(&pieces).as_ref(), Ok(&whole), "pieces of {size}");
    }
}

#[test]
fn a_listing_that_is_cut_anywhere_is_never_a_listing() {
    let text = LISTING.trim_end().as_bytes();
    for end in 0..text.len() {
        assert!(read(&[&text[..end]]).is_err(), "cut at {end}");
    }
}

#[test]
fn what_is_no_multistatus_is_refused() {
    let deep = format!(
        "<multistatus xmlns='DAV:'>{}{}</multistatus>",
        "<a>".repeat(100),
        "</a>".repeat(100)
    );
    let long = format!(
        "<multistatus xmlns='DAV:'><response><href>{}</href></response></multistatus>",
        "x".repeat(70_000)
    );
    let endless = format!(
        "<multistatus xmlns='DAV:'><response>{}",
        "x".repeat(2_000_000)
    );
    for text in [
        "",
        "<html><body>It works!</body></html>",
        "<!DOCTYPE html><html></html>",
        "plain",
        "<multistatus></multistatus>",
        "<x:multistatus xmlns:y='DAV:'/>",
        "<?xml version='1.0' encoding='iso-8859-1'?><multistatus xmlns='DAV:'/>",
        "<multistatus xmlns='DAV:'><response><href>&bomb;</href></response></multistatus>",
        "<multistatus xmlns='DAV:'><response><status>fine</status></response></multistatus>",
        "<multistatus xmlns='DAV:'></multistatus><html/>",
        "<multistatus xmlns='DAV:'></multistatus>tail",
        &deep,
        &long,
        &endless,
    ] {
        assert!(read(&[text.as_bytes()]).is_err(), "{text:.60}");
    }
    assert_eq!(read(&[b"<multistatus xmlns='DAV:'/>"]), Ok(Vec::new()));
}
