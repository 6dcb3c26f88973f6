//! Coverage as an LCOV tracefile, for editors and code hosts.
//!
//! In: a report. Out: one section: each line that has points with the most calls that one of them had, each point as a branch.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::report::{CoverageReport, PointReport};

impl CoverageReport {
    /// The report as a section of an LCOV tracefile.
    pub fn to_lcov(&self) -> String {
        let mut lines: BTreeMap<u32, Vec<&PointReport>> = BTreeMap::new();
        for point in &self.points {
            lines.entry(point.line).or_default().push(point);
        }
        // A control character could begin another record, or steer the terminal of who reads the file.
        let mut out = format!("TN:\nSF:{}\n", self.path.replace(char::is_control, " "));
        let (mut found, mut hit) = (0_usize, 0_usize);
        for (line, points) in &lines {
            // A block is a place: one that no call reached has `-` for its branches.
            let mut block = 0_u32;
            let mut before = None;
            let mut branch = 0_u32;
            for point in points {
                let place = (point.pointer.as_str(), point.kind);
                if before.is_some_and(|before| before != place) {
                    block = block.saturating_add(1);
                    branch = 0;
                }
                before = Some(place);
                let reached = points
                    .iter()
                    .any(|other| (other.pointer.as_str(), other.kind) == place && other.count > 0);
                let taken = if reached { point.count.to_string() } else { "-".to_owned() };
                // Writing to a String cannot fail.
                let _ = writeln!(out, "BRDA:{line},{block},{branch},{taken}");
                branch = branch.saturating_add(1);
                found = found.saturating_add(1);
                hit = hit.saturating_add(usize::from(point.count > 0));
            }
        }
        let _ = writeln!(out, "BRF:{found}\nBRH:{hit}");
        let mut lines_hit = 0_usize;
        for (line, points) in &lines {
            let most = points.iter().map(|point| point.count).max().unwrap_or_default();
            lines_hit = lines_hit.saturating_add(usize::from(most > 0));
            let _ = writeln!(out, "DA:{line},{most}");
        }
        let _ = writeln!(out, "LF:{}\nLH:{lines_hit}\nend_of_record", lines.len());
        out
    }
}
