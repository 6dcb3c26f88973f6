//! Compiled policies.
//!
//! In: the text of a policy, or a file's path. Out: the policy, or everything that is wrong with it. Errors are plain
//! data here; the TypeScript half throws them.

use callgate::value::RawJson;
use callgate::{Diagnostic, Format, Policy as Compiled, PolicyError, Severity};
use callgate_host::{LoadError, PolicyFile};
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
    /// Why the file cannot be read, with its path in front.
    pub unreadable: Option<String>,
}

/// What a lint found (spec 12.2).
#[napi(object, object_from_js = false)]
pub struct Linted {
    /// Whether the policy loads. If not, the findings say why.
    pub loads: bool,
    /// Warnings of the lint, or errors.
    pub findings: Vec<Finding>,
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
        Self { policy: Some(Policy(policy)), findings: Vec::new(), unreadable: None }
    }

    fn invalid(error: &PolicyError) -> Self {
        let findings = error.diagnostics().iter().map(Finding::from).collect();
        Self { policy: None, findings, unreadable: None }
    }
}

impl From<Result<Compiled, LoadError>> for Loaded {
    fn from(loaded: Result<Compiled, LoadError>) -> Self {
        match loaded {
            Ok(policy) => Self::policy(policy),
            Err(LoadError::Policy(error)) => Self::invalid(error.policy_error()),
            Err(error) => Self { policy: None, findings: Vec::new(), unreadable: Some(error.to_string()) },
        }
    }
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

    /// Reads and compiles a file; its extension tells YAML from JSON.
    #[napi(catch_unwind)]
    pub fn load(path: String) -> Loaded {
        let file = PolicyFile::read(path).map_err(LoadError::from);
        file.and_then(|file| Ok(file.compile()?)).into()
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

    /// SHA-256 of the policy's text in hex.
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

    /// Whether what is shown depends on who asks.
    #[napi(getter, catch_unwind)]
    pub fn lists_by_caller(&self) -> bool {
        self.0.lists_by_caller()
    }
}
