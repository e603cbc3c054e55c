//! Renders conversations with the template that a model file holds.

use std::thread;

use minijinja::value::Kwargs;
use minijinja::{Environment, ErrorKind as JinjaKind, context};

use crate::inference::Message;
use crate::{Error, ErrorKind, Result};

const NAME: &str = "chat";
/// Steps of the template engine: enough for thousands of messages, and an end to loops without one.
const FUEL: u64 = 5_000_000;
/// Nested calls of macros; each takes a few kilobytes of a stack that may be small.
const DEPTH: usize = 32;
/// Several times the longest template in use.
const LONGEST_TEMPLATE: usize = 1 << 16;
/// The engine compiles a chain such as `1+1+1…` by a recursion as deep as the chain is long. A template of the greatest length
/// needs up to 128 MiB for that without optimisation; only what is used is ever taken.
const COMPILER_STACK: usize = 192 << 20;

/// A template, with the texts of the tokens that it may write.
pub(super) struct ChatTemplate {
    environment: Environment<'static>,
    begin: String,
    end: String,
}

impl ChatTemplate {
    pub(super) fn new(source: &str, begin: String, end: String) -> Result<Self> {
        if source.len() > LONGEST_TEMPLATE {
            return Err(failed(format!("it is {} bytes long", source.len())));
        }
        let mut environment = Environment::new();
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(DEPTH);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |message: String| -> Result<String, minijinja::Error> {
            Err(minijinja::Error::new(JinjaKind::InvalidOperation, message))
        });
        environment.add_filter(
            "tojson",
            |value: minijinja::Value, options: Kwargs| -> Result<String, minijinja::Error> {
                // `ensure_ascii` and the like are Python's; only the indentation changes what a model sees.
                let indent: Option<usize> = options.get("indent").unwrap_or(None);
                let text = if indent.is_some() {
                    serde_json::to_string_pretty(&value)
                } else {
                    serde_json::to_string(&value)
                };
                text.map_err(|error| minijinja::Error::new(JinjaKind::BadSerialization, error.to_string()))
            },
        );
        let source = source.to_owned();
        let compile = move || environment.add_template_owned(NAME, source).map(|()| environment);
        let compiler = thread::Builder::new().name("ambix-template".into()).stack_size(COMPILER_STACK);
        let compiler = compiler.spawn(compile).map_err(failed)?;
        let compiled = compiler.join().map_err(|_| failed("its compiler panicked"))?;
        Ok(ChatTemplate { environment: compiled.map_err(failed)?, begin, end })
    }

    /// The text of `messages`, and with `answer` the beginning of the assistant's next message.
    pub(super) fn render(&self, messages: &[Message], answer: bool) -> Result<String> {
        let template = self.environment.get_template(NAME).map_err(failed)?;
        let rendered = template.render(context! {
            messages => messages,
            add_generation_prompt => answer,
            bos_token => self.begin,
            eos_token => self.end,
        });
        rendered.map_err(failed)
    }
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Model, format!("the model's template for conversations cannot be used: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(source: &str) -> Result<String> {
        let messages = [Message::new("system", "Be brief."), Message::new("user", " Hi \n")];
        ChatTemplate::new(source, "<s>".into(), "</s>".into())?.render(&messages, true)
    }

    #[test]
    fn templates_see_messages_tokens_and_python_methods() {
        let source = "{{ bos_token }}{% for m in messages %}[{{ m.role.upper() }}|{{ m['content'].strip() }}]{% endfor %}\
                      {% if add_generation_prompt %}>{% endif %}";
        assert_eq!(render(source).unwrap(), "<s>[SYSTEM|Be brief.][USER|Hi]>");
        assert_eq!(
            render("{{ messages[0] | tojson }}").unwrap(),
            r#"{"role":"system","content":"Be brief."}"#
        );
    }

    /// On a stack as small as the BEAM gives to native code.
    #[test]
    fn bad_templates_are_model_errors() {
        let check = || {
            for source in [
                "{% for %}",
                "{{ raise_exception('only users may speak') }}",
                "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}x{% endfor %}{% endfor %}{% endfor %}",
                "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
                &format!("{{{{ {} }}}}", "(".repeat(100_000)),
                &format!("{{{{ {} }}}}", "[".repeat(100_000)),
                &format!("{{{{ {}1 }}}}", "-".repeat(100_000)),
                &format!("{{{{ {}1 }}}}", "not ".repeat(20_000)),
                &"{% if true %}".repeat(10_000),
            ] {
                let error = render(source).expect_err(source);
                assert_eq!(error.kind(), ErrorKind::Model, "{error}");
            }
            // Deep, but not so deep that it must be refused.
            assert_eq!(render(&format!("{{{{ 1{} }}}}", "+1".repeat(32_000))).unwrap(), "32001");
            assert!(render(&format!("{{{{ messages{} }}}}", "()".repeat(32_000))).is_err());
            assert!(render(&"+1".repeat(40_000)).is_err());
            let refused = render("{{ raise_exception('only users may speak') }}").unwrap_err();
            assert!(refused.to_string().contains("only users"));
        };
        thread::Builder::new().stack_size(320 * 1024).spawn(check).unwrap().join().unwrap();
    }
}
