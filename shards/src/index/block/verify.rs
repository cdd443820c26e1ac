//! Checking an index against itself: every checksum, the order of its series, and that lists and
//! dictionaries tell the same as the series.

use std::path::Path;

use super::BulkRead;
use super::dictionary::Dictionary;
use super::format::{HEADER_LEN, PIECE_LEN_MAX, Place, TRAILER_LEN, Trailer, header, read_top};
use super::list::{ListBuilder, read_list};
use super::scanner::IndexScanner;
use super::writer::LabelLists;
use crate::error::Result;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub offset: u64,
    pub what: String,
}

/// Checks the index in a file of `len` bytes. An error means that it cannot be read at all.
pub fn verify<R: BulkRead>(mut reader: R, path: &Path, len: u64) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let mut found = |offset: u64, what: &str| findings.push(Finding { offset, what: what.to_owned() });
    if reader.read(0, HEADER_LEN)? != header() {
        found(0, "the header is damaged");
    }
    let trailer_at = len.saturating_sub(TRAILER_LEN as u64);
    let Some(trailer) = Trailer::decode(&reader.read(trailer_at, TRAILER_LEN)?, len) else {
        found(trailer_at, "the trailer is damaged");
        return Ok(findings);
    };
    let mut scanner = IndexScanner::open(reader, path, len)?;
    let mut lists = LabelLists::default();
    let mut before = Vec::new();
    while let Some((ordinal, labels, _)) = scanner.next()? {
        if ordinal > 0 && before.as_slice() >= labels {
            found(0, "series are not in label order");
        }
        before.clear();
        before.extend_from_slice(labels);
        if lists.add(ordinal, labels).is_err() {
            found(0, "the labels of a series are not canonical");
        }
    }
    let mut reader = scanner.into_reader();
    if trailer.top_len() > PIECE_LEN_MAX {
        found(trailer.top_at, "the label names are too large");
        return Ok(findings);
    }
    let top = reader.read(trailer.top_at, trailer.top_len() as usize)?;
    let Some(names) = read_top(&top, trailer.top_at) else {
        found(trailer.top_at, "the label names are damaged");
        return Ok(findings);
    };
    let mut expected = lists.into_sorted().into_iter();
    for name in names {
        let Some((text, list, values)) = expected.next().filter(|(text, ..)| *text == name.name) else {
            found(trailer.top_at, "the label names are not those of the series");
            return Ok(findings);
        };
        if !is_right(&mut reader, &trailer, name.place, list)? {
            found(trailer.top_at, &format!("the list of the series with label {text} is wrong"));
        }
        let mut places = Vec::new();
        let mut values = values.into_iter();
        for dictionary in &name.dictionaries {
            places.clear();
            let offset = dictionary.offset;
            let bytes = reader.read(offset, dictionary.len)?;
            let read = Dictionary::read(&bytes).and_then(|map| {
                map.for_each("", &mut |value, place| {
                    places.push((value.to_owned(), place));
                    true
                })
            });
            if read.is_none() {
                found(offset, "a dictionary is damaged");
                return Ok(findings);
            }
            for (value, place) in &places {
                let Some((text, list)) = values.next().filter(|(text, _)| text == value) else {
                    found(offset, "a dictionary has not the values of the series");
                    return Ok(findings);
                };
                if !is_right(&mut reader, &trailer, *place, list)? {
                    found(offset, &format!("the list of the series with value {text} is wrong"));
                }
            }
        }
        if values.next().is_some() {
            found(trailer.top_at, "a dictionary lacks values");
        }
    }
    if expected.next().is_some() {
        found(trailer.top_at, "label names are missing");
    }
    Ok(findings)
}

/// Whether the list at a place is the expected one.
fn is_right<R: BulkRead>(
    reader: &mut R,
    trailer: &Trailer,
    place: u64,
    expected: ListBuilder,
) -> Result<bool> {
    Ok(match Place::decode(place, trailer.series, trailer.top_at) {
        Some(Place::Only(ordinal)) => expected.only() == Some(ordinal),
        Some(Place::List { offset, len }) => {
            let read = read_list(&reader.read(offset, len)?, trailer.series);
            read.is_some() && read == read_list(&expected.finish(), trailer.series)
        }
        None => false,
    })
}
