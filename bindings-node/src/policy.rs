//! Compiled policies.
//!
//! In: the text of a policy, or a file's path. Out: the policy, or everything that is wrong with it. Errors are plain
//! data here; the TypeScript half throws them.

use callgate::value::RawJson;
use callgate::{
    Diagnostic, Format, IdentityNeed, Policy as Compiled, PolicyError, Severity, StackError, UnmatchedName,
};
use callgate_host::{LoadError, load_policy};
use napi::bindgen_prelude::ClassInstance;
use napi::{Env, Unknown};
use napi_derive::napi;

use crate::asked::ReadIdentity;
use crate::view::Host;

/// A compiled policy.
#[napi(js_name = "NativePolicy")]
pub struct Policy(pub(crate) Compiled);

/// One finding in a policy document (spec 12). Lines and columns count from 1, columns in code points.
#[napi(object, object_from_js = false)]
pub struct Finding {
    /// `error` or `warning`.
    pub severity: String,
    /// The stable code, such as `unknown_field`.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// JSON Pointer to the place.
    pub pointer: String,
    /// Line.
    pub line: u32,
    /// Column in code points.
    pub column: u32,
    /// First byte of the place.
    pub start: u32,
    /// The byte after its last.
    pub end: u32,
}

/// What became of a text: a policy, findings, or a file that cannot be read.
#[napi(object, object_from_js = false)]
pub struct Loaded {
    /// The policy, if it loads.
    pub policy: Option<Policy>,
    /// Errors and warnings, in document order.
    pub findings: Vec<Finding>,
    /// Why the file cannot be read, or does not go with the others, with its path in front.
    pub unusable: Option<String>,
    /// Where policies that load are no stack: the stable code, such as `unnamed_layer`.
    pub no_stack: Option<String>,
    /// The file that is at fault, where there is one.
    pub file: Option<String>,
}

/// What a lint found (spec 12.2).
#[napi(object, object_from_js = false)]
pub struct Linted {
    /// Whether the policy loads. If not, the findings say why.
    pub loads: bool,
    /// Warnings of the lint, or errors.
    pub findings: Vec<Finding>,
}

/// A name in a policy that no tool of a server has.
#[napi(object, object_from_js = false)]
pub struct Unmatched {
    /// As the policy has it.
    pub name: String,
    /// JSON Pointer to it.
    pub pointer: String,
    /// Its line.
    pub line: u32,
    /// The layer's name, if it has one.
    pub layer: Option<String>,
    /// The tool that was probably meant.
    pub nearest: Option<String>,
    /// A sentence of it.
    pub told: String,
}

impl From<UnmatchedName> for Unmatched {
    fn from(found: UnmatchedName) -> Self {
        let told = found.to_string();
        let UnmatchedName { name, pointer, line, layer, nearest, .. } = found;
        Self { name, pointer, line, layer, nearest, told }
    }
}

/// A rule or item that needs to know who calls.
#[napi(object, object_from_js = false)]
pub struct Need {
    /// Its `name`, if it has one.
    pub name: Option<String>,
    /// JSON Pointer to it.
    pub pointer: String,
    /// Its line.
    pub line: u32,
    /// The layer's name, if it has one.
    pub layer: Option<String>,
    /// What it reads.
    pub reads: Vec<String>,
    /// `identity`, `session` or `session_or_identity`.
    pub needs: String,
    /// A sentence of it.
    pub told: String,
    /// What to write, or to give the guard, where callers have none.
    pub help: String,
}

impl From<IdentityNeed> for Need {
    fn from(need: IdentityNeed) -> Self {
        let (told, help) = (need.to_string(), need.needs.help().to_owned());
        let IdentityNeed { name, pointer, line, layer, reads, needs, .. } = need;
        Self { name, pointer, line, layer, reads, needs: needs.as_str().to_owned(), told, help }
    }
}

impl From<&Diagnostic> for Finding {
    fn from(diagnostic: &Diagnostic) -> Self {
        let range = diagnostic.byte_range();
        let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self {
            severity: match diagnostic.severity() {
                Severity::Warning => "warning",
                _ => "error",
            }
            .to_owned(),
            code: diagnostic.code().to_owned(),
            message: diagnostic.message().to_owned(),
            help: diagnostic.help().map(str::to_owned),
            pointer: diagnostic.pointer().to_owned(),
            line: diagnostic.line(),
            column: diagnostic.column(),
            start: offset(range.start),
            end: offset(range.end),
        }
    }
}

impl Loaded {
    fn policy(policy: Compiled) -> Self {
        Self { policy: Some(Policy(policy)), ..Self::nothing() }
    }

    fn nothing() -> Self {
        Self { policy: None, findings: Vec::new(), unusable: None, no_stack: None, file: None }
    }

    fn invalid(error: &PolicyError) -> Self {
        let findings = error.diagnostics().iter().map(Finding::from).collect();
        Self { findings, ..Self::nothing() }
    }

    fn no_stack(error: &StackError) -> Self {
        Self { unusable: Some(error.to_string()), no_stack: Some(error.code().to_owned()), ..Self::nothing() }
    }
}

impl From<Result<Compiled, LoadError>> for Loaded {
    fn from(loaded: Result<Compiled, LoadError>) -> Self {
        let error = match loaded {
            Ok(policy) => return Self::policy(policy),
            Err(error) => error,
        };
        let file = error.path().to_string_lossy().into_owned();
        let file = Some(file).filter(|file| !file.is_empty());
        match error {
            LoadError::Policy(error) => Self { file, ..Self::invalid(error.policy_error()) },
            LoadError::Stack(error) => {
                Self { unusable: Some(error.to_string()), file, ..Self::no_stack(error.stack_error()) }
            }
            error => Self { unusable: Some(error.to_string()), file, ..Self::nothing() },
        }
    }
}

/// The warnings of each layer; with those that an engine adds whose counters are in memory, or without.
pub(crate) fn by_layer(policy: &Compiled, in_memory: bool) -> Vec<Vec<Finding>> {
    let warnings = policy.layers().map(|layer| {
        let of_memory = if in_memory { layer.memory_warnings() } else { &[] };
        layer.warnings().iter().chain(of_memory).map(Finding::from).collect()
    });
    warnings.collect()
}

#[napi]
impl Policy {
    /// Compiles a text, YAML or JSON (spec 1.1).
    #[napi(catch_unwind)]
    pub fn compile(text: String) -> Loaded {
        match Compiled::from_text(&text, Format::Detect) {
            Ok(policy) => Loaded::policy(policy),
            Err(error) => Loaded::invalid(&error),
        }
    }

    /// Reads and compiles a file, or several as a stack; their extensions tell YAML from JSON.
    #[napi(catch_unwind)]
    pub fn load(paths: Vec<String>) -> Loaded {
        load_policy(paths).into()
    }

    /// Several policies as one (spec 6.10).
    #[napi(catch_unwind)]
    pub fn stack(policies: Vec<ClassInstance<'_, Policy>>) -> Loaded {
        match Compiled::stack(policies.iter().map(|policy| policy.0.clone())) {
            Ok(policy) => Loaded::policy(policy),
            Err(error) => Loaded::no_stack(&error),
        }
    }

    /// The names of the policies that it was made of, in order; null for one without a name.
    #[napi(getter, catch_unwind)]
    pub fn layers(&self) -> Vec<Option<String>> {
        self.0.layers().map(|layer| layer.name().map(str::to_owned)).collect()
    }

    /// The warnings of each of them.
    #[napi(getter, catch_unwind)]
    pub fn warnings_by_layer(&self) -> Vec<Vec<Finding>> {
        by_layer(&self.0, false)
    }

    /// Lints a policy's text against the JSON text of a server's list of tools.
    #[napi(catch_unwind)]
    pub fn lint(text: String, tools: String) -> napi::Result<Linted> {
        let tools = RawJson::parse(&tools).map_err(|error| napi::Error::from_reason(error.to_string()))?;
        Ok(match callgate::lint(&text, Format::Detect, &tools.root()) {
            Ok(found) => Linted { loads: true, findings: found.iter().map(Finding::from).collect() },
            Err(error) => Linted { loads: false, findings: Loaded::invalid(&error).findings },
        })
    }

    /// SHA-256 of the policy's text in hex; of a stack, that of its policies' digests.
    #[napi(getter, catch_unwind)]
    pub fn digest(&self) -> String {
        self.0.digest().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What may not mean what its author thinks.
    #[napi(getter, catch_unwind)]
    pub fn warnings(&self) -> Vec<Finding> {
        self.0.warnings().iter().map(Finding::from).collect()
    }

    /// Which of these tools the caller may see in `tools/list` (spec 10.9). `probe` has the functions that read values.
    #[napi(catch_unwind)]
    pub fn visible(
        &self,
        env: Env,
        tools: Vec<String>,
        #[napi(ts_arg_type = "object")] probe: Unknown<'_>,
        identity: Unknown<'_>,
        server: Option<String>,
    ) -> napi::Result<Vec<bool>> {
        let host = Host::new(env, probe, None);
        let identity = ReadIdentity::new(host.view(identity))?;
        let shows = |tool: &String| {
            let call = callgate::Call::without_args(tool).identity(identity.given());
            self.0.shows(&match &server {
                Some(server) => call.server(server),
                None => call,
            })
        };
        Ok(tools.iter().map(shows).collect())
    }

    /// The names and globs that match none of these tools, which are all that a server has.
    #[napi(catch_unwind)]
    pub fn unmatched(&self, tools: Vec<String>) -> Vec<Unmatched> {
        let found = self.0.unmatched(tools.iter().map(String::as_str));
        found.into_iter().map(Unmatched::from).collect()
    }

    /// Whether it denies tools that it does not name, and says nothing of other requests, which all pass.
    #[napi(getter, catch_unwind)]
    pub fn passes_requests(&self) -> bool {
        self.0.denies_by_default() && !self.0.decides_request("")
    }

    /// The rules and items that need to know who calls.
    #[napi(catch_unwind)]
    pub fn identity_needs(&self) -> Vec<Need> {
        self.0.identity_needs().into_iter().map(Need::from).collect()
    }

    /// Whether what is shown depends on who asks.
    #[napi(getter, catch_unwind)]
    pub fn lists_by_caller(&self) -> bool {
        self.0.lists_by_caller()
    }
}
