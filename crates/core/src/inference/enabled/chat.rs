//! Renders conversations with the template that a model file holds.

use minijinja::value::Kwargs;
use minijinja::{Environment, ErrorKind as JinjaKind, context};

use crate::inference::Message;
use crate::{Error, ErrorKind, Result};

const NAME: &str = "chat";
/// Steps of the template engine: enough for thousands of messages, and an end to loops without one.
const FUEL: u64 = 5_000_000;
/// Nested calls of macros; each takes a few kilobytes of a stack that may be small.
const DEPTH: usize = 32;
const LONGEST_TEMPLATE: usize = 1 << 18;

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
        environment.add_template_owned(NAME, source.to_owned()).map_err(failed)?;
        Ok(ChatTemplate { environment, begin, end })
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

    #[test]
    fn bad_templates_are_model_errors() {
        for source in [
            "{% for %}",
            "{{ raise_exception('only users may speak') }}",
            "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}x{% endfor %}{% endfor %}{% endfor %}",
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
            &"(".repeat(100_000),
            &format!("{{{{ {} }}}}", "(".repeat(100_000)),
            &"{% if true %}".repeat(10_000),
        ] {
            let error =
                render(source).err().unwrap_or_else(|| Error::invalid(format!("accepted {:.40}", source)));
            if error.kind() != ErrorKind::Model {
                // Text without any tag is a template that renders itself.
                assert!(!source.contains('{'), "{error}");
            }
        }
        assert!(
            render("{{ raise_exception('only users may speak') }}")
                .unwrap_err()
                .to_string()
                .contains("only users")
        );
    }
}
