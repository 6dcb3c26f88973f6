//! `within`: whether a file path lies inside a directory, lexically (spec 5.25).

use smallvec::SmallVec;

use super::outcome::Outcome;

/// A directory, normalised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Directory(Box<[Box<str>]>);

impl Directory {
    /// `None` where the text is not an absolute path that can be normalised.
    pub(crate) fn new(text: &str) -> Option<Self> {
        let segments = normalised(text)?;
        Some(Self(segments.into_iter().map(Into::into).collect()))
    }

    /// Whether `path` is this directory or lies in it; unknown where that cannot be told from the text.
    pub(crate) fn contains(&self, path: &str) -> Outcome {
        match normalised(path) {
            None => Outcome::Unknown,
            Some(segments) => {
                let inside = segments.len() >= self.0.len()
                    && self.0.iter().zip(&segments).all(|(directory, segment)| **directory == **segment);
                inside.into()
            }
        }
    }
}

impl std::fmt::Display for Directory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("/")?;
        f.write_str(&self.0.join("/"))
    }
}

fn normalised(path: &str) -> Option<SmallVec<[&str; 16]>> {
    // A backslash separates on some systems and is a plain character on others: undecidable from here.
    if !path.starts_with('/') || path.contains(['\0', '\\']) {
        return None;
    }
    let mut segments = SmallVec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop()?;
            }
            name => segments.push(name),
        }
    }
    Some(segments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decides_after_normalisation() {
        let directory = Directory::new("/srv/./data/").unwrap();
        for (path, outcome) in [
            ("/srv/data", Outcome::Holds),
            ("/srv//data/x", Outcome::Holds),
            ("/srv/x/../data/y", Outcome::Holds),
            ("/srv/data/../etc", Outcome::Fails),
            ("/srv/database", Outcome::Fails),
            ("/SRV/data", Outcome::Fails),
            ("/..", Outcome::Unknown),
            ("srv/data", Outcome::Unknown),
            ("", Outcome::Unknown),
            ("/srv/data/a\0b", Outcome::Unknown),
            ("/srv/data\\..\\x", Outcome::Unknown),
        ] {
            assert_eq!(directory.contains(path), outcome, "{path}");
        }
        assert_eq!(Directory::new("/").unwrap().contains("/x"), Outcome::Holds);
        assert_eq!(Directory::new("data"), None);
    }
}
