//! Input schemas, and what else a host has checked: about the arguments that calls have.

use super::{GeneratedCheck, Generator};

impl Generator {
    /// What a host has checked.
    pub(super) fn check(&mut self) -> GeneratedCheck {
        GeneratedCheck { schema: self.chance(85).then(|| self.input_schema()), folding: self.chance(50) }
    }

    /// A schema of arguments: most members have the type that they mostly have in calls.
    fn input_schema(&mut self) -> String {
        let mut properties = Vec::new();
        for name in ["a", "b", "c", "list", "items", "a.b"] {
            if self.chance(70) {
                let schema = match name {
                    "c" if self.chance(60) => self.object_of("d"),
                    "list" if self.chance(60) => self.array_of(),
                    "items" if self.chance(60) => {
                        format!("{{\"type\":\"array\",\"items\":{}}}", self.object_of("x"))
                    }
                    _ => self.schema(2),
                };
                properties.push(format!("\"{name}\":{schema}"));
            }
        }
        let others = match self.below(6) {
            0 => ",\"additionalProperties\":false".to_owned(),
            1 => format!(",\"additionalProperties\":{}", self.schema(1)),
            2 => ",\"additionalProperties\":false,\"patternProperties\":{}".to_owned(),
            _ => String::new(),
        };
        format!(
            "{{\"type\":\"object\",\"properties\":{{{}}}{others},\"$defs\":{{\"some\":{},\"again\":{}}}}}",
            properties.join(","),
            // Without references, which would lead back to it.
            self.schema(0),
            "{\"type\":[\"array\",\"number\",\"string\",\"object\"],\"items\":{\"$ref\":\"#/$defs/again\"}}",
        )
    }

    fn object_of(&mut self, name: &str) -> String {
        let inner = self.schema(1);
        format!("{{\"type\":\"object\",\"properties\":{{\"{name}\":{inner}}}}}")
    }

    fn array_of(&mut self) -> String {
        let rest = self.schema(1);
        if self.chance(30) {
            let first = self.schema(1);
            return format!("{{\"type\":\"array\",\"prefixItems\":[{first}],\"items\":{rest}}}");
        }
        format!("{{\"type\":\"array\",\"items\":{rest}}}")
    }

    /// A schema of one value, so deep at most.
    fn schema(&mut self, depth: usize) -> String {
        const TYPES: [&str; 9] = [
            "\"number\"",
            "\"number\"",
            "\"string\"",
            "\"string\"",
            "\"integer\"",
            "\"boolean\"",
            "\"null\"",
            "\"array\"",
            "\"object\"",
        ];
        match self.below(if depth == 0 { 8 } else { 14 }) {
            0..4 => format!("{{\"type\":{}}}", self.pick(&TYPES)),
            4 => format!("{{\"type\":[{},{}]}}", self.pick(&TYPES), self.pick(&TYPES)),
            5 => self.pick(&["{}", "true", "false", "{\"type\":\"text\"}", "{\"minimum\":5}"]).to_owned(),
            6 => format!("{{\"enum\":[{},{}]}}", self.value(0), self.value(0)),
            7 => format!("{{\"const\":{}}}", self.value(0)),
            8 => format!("{{\"anyOf\":[{},{}]}}", self.schema(depth - 1), self.schema(depth - 1)),
            9 => format!("{{\"oneOf\":[{},{}]}}", self.schema(depth - 1), "{\"type\":\"null\"}"),
            10 => {
                format!("{{\"allOf\":[{},{}]}}", self.schema(depth - 1), "{\"type\":[\"number\",\"string\"]}")
            }
            11 => self
                .pick(&[
                    "{\"$ref\":\"#/$defs/some\"}",
                    "{\"$ref\":\"#/$defs/again\"}",
                    "{\"$ref\":\"#/nowhere\"}",
                ])
                .to_owned(),
            12 => self.array_of(),
            _ => self.object_of("d"),
        }
    }
}
