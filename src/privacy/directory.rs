//! Lists of people as CSV (RFC 4180): columns `list`, `name`, `number`, `email`, `note` in any order, named by the first
//! line. A line that is wrong is told with its number, and the others are read.

use std::fmt;

use crate::ids::PhoneNumber;

use super::words::email_key;

/// The columns there can be.
const COLUMNS: [&str; 5] = ["list", "name", "number", "email", "note"];
/// The longest texts, in characters.
const LONGEST_LIST: usize = 100;
const LONGEST_NAME: usize = 200;
const LONGEST_EMAIL: usize = 254;
const LONGEST_NOTE: usize = 1_000;

/// Somebody on a list. With a number it is the entry of that number on the list, else that of its e-mail address: reading
/// it again changes it.
#[derive(Clone, PartialEq, Eq)]
pub struct NewEntry {
    /// The list: `directory`, `outbound March`, …
    pub list: String,
    /// Who.
    pub name: String,
    /// E.164.
    pub number: Option<PhoneNumber>,
    /// As it was written.
    pub email: Option<String>,
    /// Whatever else.
    pub note: Option<String>,
}

impl fmt::Debug for NewEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewEntry(list {:?}, …)", self.list)
    }
}

/// A line that is not taken. Says nothing of what stands in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// Its number in the file, from 1: where it begins, as fields may have several lines.
    pub line: u64,
    /// What is wrong.
    pub what: String,
}

/// Where the columns are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header([Option<usize>; 5]);

impl Header {
    fn read(names: &csv::StringRecord) -> Result<Self, String> {
        let mut places = [None; 5];
        for (at, name) in names.iter().enumerate() {
            let name = name.trim_start_matches('\u{FEFF}').trim().to_lowercase();
            let column = COLUMNS.iter().position(|column| *column == name);
            let column = column.ok_or_else(|| {
                format!("the first line names the columns, of {}; one is another", COLUMNS.join(", "))
            })?;
            if places[column].replace(at).is_some() {
                return Err(format!("the column `{}` is there twice", COLUMNS[column]));
            }
        }
        match places {
            [Some(_), Some(_), number, email, _] if number.is_some() || email.is_some() => Ok(Self(places)),
            _ => Err("the first line names the columns: `list`, `name`, and `number` or `email`, are needed"
                .to_owned()),
        }
    }

    fn entry(self, record: &csv::StringRecord) -> Result<NewEntry, String> {
        let field = |column: usize| {
            let text = self.0[column].and_then(|at| record.get(at)).map(str::trim).unwrap_or_default();
            // What a spreadsheet was kept from computing.
            let text =
                text.strip_prefix('\'').filter(|rest| rest.starts_with(['=', '+', '-', '@'])).unwrap_or(text);
            (!text.is_empty()).then(|| text.to_owned())
        };
        let needed = |column: usize, longest| {
            let text = field(column).ok_or_else(|| format!("`{}` is empty", COLUMNS[column]))?;
            fits(column, text, longest, false)
        };
        let (list, name) = (needed(0, LONGEST_LIST)?, needed(1, LONGEST_NAME)?);
        let number = field(2).map(|text| {
            let parsed = PhoneNumber::parse(&text, None).filter(|_| text.starts_with('+'));
            parsed.ok_or("`number` is no number with + and country, such as +49 89 7654321".to_owned())
        });
        let email = field(3).map(|text| {
            let text = fits(3, text, LONGEST_EMAIL, false)?;
            let is_one = text.split_once('@').is_some_and(|(who, at)| !who.is_empty() && !at.is_empty());
            let is_one = is_one && !text.contains(char::is_whitespace);
            if is_one { Ok(text) } else { Err("`email` is no address".to_owned()) }
        });
        let note = field(4).map(|text| fits(4, text, LONGEST_NOTE, true));
        let (number, email, note) = (number.transpose()?, email.transpose()?, note.transpose()?);
        if number.is_none() && email.is_none() {
            return Err("without a number or an e-mail address it could not be found again".to_owned());
        }
        Ok(NewEntry { list, name, number, email, note })
    }
}

/// Not too long, and nothing in it that only steers a terminal.
fn fits(column: usize, text: String, longest: usize, lines: bool) -> Result<String, String> {
    let steers = |c: char| c.is_control() && !(lines && ['\n', '\r', '\t'].contains(&c));
    if text.chars().count() > longest {
        return Err(format!("`{}` has more than {longest} characters", COLUMNS[column]));
    }
    if text.contains(steers) {
        return Err(format!("`{}` holds characters that cannot be shown", COLUMNS[column]));
    }
    Ok(text)
}

/// Reads a file: each entry with the line it begins at, or what is wrong with the line.
///
/// # Errors
/// When the first line does not name the columns: nothing is read then.
pub fn read_directory(
    text: &[u8],
) -> Result<impl Iterator<Item = Result<(u64, NewEntry), BadLine>> + '_, BadLine> {
    let text = text.strip_prefix("\u{FEFF}".as_bytes()).unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text);
    let at = |line, what: String| BadLine { line, what };
    let header = match reader.headers() {
        Ok(names) => Header::read(names).map_err(|what| at(1, what))?,
        Err(_) => return Err(at(1, "the file is no CSV in UTF-8".to_owned())),
    };
    let columns = header.0.iter().flatten().count();
    let mut lines = Lines { text, at: 0, line: 1 };
    Ok(reader.into_records().map(move |record| match record {
        Ok(record) => {
            let line = lines.of(record.position());
            if record.len() != columns {
                let what = format!("it has {} fields, the first line {columns}", record.len());
                return Err(at(line, what));
            }
            header.entry(&record).map(|entry| (line, entry)).map_err(|what| at(line, what))
        }
        Err(error) => {
            let line = lines.of(error.position());
            Err(at(line, "it is no text in UTF-8".to_owned()))
        }
    }))
}

/// The numbers of lines. A reader of CSV tells where the record before ended: what ended it, and empty lines, may lie
/// between that and the record.
struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line at which a record begins; records come in their order.
    fn of(&mut self, position: Option<&csv::Position>) -> u64 {
        let from = position.and_then(|position| usize::try_from(position.byte()).ok()).unwrap_or(self.at);
        while let Some(octet) = self.text.get(self.at)
            && (self.at < from || [b'\r', b'\n'].contains(octet))
        {
            self.at += 1;
            // CR LF is one end.
            let ends = *octet == b'\n' || (*octet == b'\r' && self.text.get(self.at) != Some(&b'\n'));
            self.line += u64::from(ends);
        }
        self.line
    }
}

impl NewEntry {
    /// By what its e-mail address is found.
    #[must_use]
    pub fn email_key(&self) -> Option<String> {
        self.email.as_deref().map(email_key)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Read = Vec<Result<(u64, NewEntry), BadLine>>;

    fn read(text: &str) -> Read {
        read_directory(text.as_bytes()).unwrap().collect()
    }

    #[test]
    fn quotes_newlines_and_formulas_are_read_as_they_were_meant() {
        let text = "\u{FEFF}Name,list,NUMBER,email,note\r\n\
                    \"Müller, \"\"Anna\"\"\",friends,'+49 30 1234567,Anna@example.org,\"two\nlines\"\r\n\
                    Bob,friends,,bob@example.org,\r\n";
        let read = read(text);
        let (line, anna) = read[0].clone().unwrap();
        assert_eq!((line, anna.name.as_str(), anna.list.as_str()), (2, "Müller, \"Anna\"", "friends"));
        assert_eq!(anna.number.unwrap().as_e164(), "+49301234567");
        assert_eq!(
            (anna.email.as_deref(), anna.note.as_deref()),
            (Some("Anna@example.org"), Some("two\nlines"))
        );
        let (line, bob) = read[1].clone().unwrap();
        assert_eq!((line, &bob.number, bob.email_key().as_deref()), (4, &None, Some("bob@example.org")));
    }

    #[test]
    fn lines_are_counted_as_an_editor_counts_them() {
        for end in ["\n", "\r\n", "\r"] {
            let text = format!("list,name,email{end}{end}a,\"x{end}y\",a@b{end}{end}a,z,b@b{end}a,,c@b");
            let lines: Vec<u64> = read(&text)
                .iter()
                .map(|read| read.as_ref().map_or_else(|bad| bad.line, |(line, _)| *line))
                .collect();
            assert_eq!(lines, [3, 6, 7], "{end:?}");
        }
    }

    #[test]
    fn a_wrong_line_is_told_and_the_others_are_read() {
        let text = "list,name,number,email,note\n\
                    a,Ann,030 1234567,,\n\
                    a,,+49301234567,,\n\
                    a,Ann,+49301234567,,,\n\
                    a,Ann,,,\n\
                    a,Ann,,nobody,\n\
                    a,\"An\u{1b}[2Jn\",,a@b,\n\
                    a,Ann,+49301234567,,\n";
        let read = read(text);
        let lines: Vec<u64> =
            read.iter().map(|read| read.as_ref().map_or_else(|bad| bad.line, |(line, _)| *line)).collect();
        assert_eq!(lines, [2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(read.iter().filter(|read| read.is_ok()).count(), 1);
        let told: Vec<&str> =
            read.iter().filter_map(|read| read.as_ref().err().map(|bad| bad.what.as_str())).collect();
        for (what, said) in [
            "with + and country",
            "`name` is empty",
            "6 fields",
            "found again",
            "no address",
            "cannot be shown",
        ]
        .iter()
        .zip(&told)
        {
            assert!(said.contains(what), "{said}");
        }
        assert!(
            told.iter().all(|what| !what.contains("Ann") && !what.contains("1234567")),
            "nothing personal: {told:?}"
        );
    }

    #[test]
    fn columns_have_to_be_known_and_named_once() {
        for text in [
            "",
            "list,name\nx,y\n",
            "list,name,number,salary\n",
            "list,name,number,number\n",
            "a,Ann,+49301234567\n",
        ] {
            assert_eq!(
                read_directory(text.as_bytes()).map(|_| ()).map_err(|bad| bad.line),
                Err(1),
                "{text:?}"
            );
        }
        let broken = b"list,name,number\na,\xFF\xFE,+49301234567\na,Ann,+49301234567\n";
        let read: Read = read_directory(broken).unwrap().collect();
        assert!(read[0].is_err() && read[1].is_ok(), "{read:?}");
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(octets in prop::collection::vec(any::<u8>(), 0..300)) {
            let text = [b"list,name,number,email,note\n".as_slice(), &octets].concat();
            let _ = read_directory(&octets).map(Iterator::count);
            prop_assert!(read_directory(&text).unwrap().count() <= octets.len() + 1);
        }

        #[test]
        fn what_is_written_as_csv_is_read_again(name in "[^\\p{C}]{1,50}", note in "[^\\p{Cc}]{0,50}") {
            prop_assume!(!name.trim().is_empty());
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(["list", "name", "number", "email", "note"]).unwrap();
            writer.write_record(["l", &name, "+49301234567", "", &note]).unwrap();
            let text = writer.into_inner().unwrap();
            let read: Read = read_directory(&text).unwrap().collect();
            prop_assert_eq!(read.len(), 1);
            let (_, entry) = read[0].clone().unwrap();
            let name = name.trim();
            let told = name.strip_prefix('\'').filter(|rest| rest.starts_with(['=', '+', '-', '@'])).unwrap_or(name);
            prop_assert_eq!(entry.name, told);
        }
    }
}
