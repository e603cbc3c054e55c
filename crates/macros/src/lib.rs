//! `#[nif]`: as `rustler::nif`, but the arguments are decoded inside the guard of `ambix-nif`.
//!
//! What rustler decodes by itself raises where an argument does not fit, and then the arguments, prompts and sources among
//! them, stand in the stack trace that the VM logs. A function with this attribute raises nothing: wrong arguments are
//! answered with `{:error, %Ambix.Error{kind: :invalid_argument}}`, which names the argument and not its value.

use proc_macro::TokenStream;
use quote::{format_ident, quote};
use syn::punctuated::Punctuated;
use syn::{FnArg, Ident, ItemFn, Pat, Signature, Token, Type, parse_macro_input};

/// Exports a function to the BEAM. The options are those of `rustler::nif`: `schedule` and `name`.
///
/// The first argument may be an `Env`. Arguments of the type `Term` are handed on as they are; all others have to fit into
/// the room that the function's kind of scheduler has for arguments (`ambix_nif::arguments`).
#[proc_macro_attribute]
pub fn nif(options: TokenStream, function: TokenStream) -> TokenStream {
    let options = proc_macro2::TokenStream::from(options);
    let function = parse_macro_input!(function as ItemFn);
    match arguments(&function.sig) {
        Ok((wants_env, arguments)) => exported(&options, &function, wants_env, &arguments).into(),
        Err(error) => error.to_compile_error().into(),
    }
}

/// An argument: its name, and whether it is handed on undecoded.
struct Argument {
    name: Ident,
    is_term: bool,
}

fn exported(
    options: &proc_macro2::TokenStream,
    function: &ItemFn,
    wants_env: bool,
    arguments: &[Argument],
) -> proc_macro2::TokenStream {
    let ItemFn { attrs, sig, block, .. } = function;
    let (documentation, kept): (Vec<_>, Vec<_>) = attrs.iter().partition(|attr| attr.path().is_ident("doc"));
    let name = &sig.ident;
    let body = format_ident!("body");
    let inner = Signature { ident: body.clone(), ..sig.clone() };
    let names: Vec<&Ident> = arguments.iter().map(|argument| &argument.name).collect();
    let decoded = arguments.iter().map(|Argument { name, is_term }| {
        if *is_term { quote!(#name) } else { quote!(room.decode(stringify!(#name), #name)?) }
    });
    let is_dirty = options.to_string().contains("schedule");
    let env = wants_env.then(|| quote!(env,));
    quote! {
        #(#documentation)*
        // rustler puts the types into a function of its own, whose lifetime has this name.
        #[::rustler::nif(#options)]
        fn #name<'a>(env: ::rustler::Env<'a> #(, #names: ::rustler::Term<'a>)*) -> ::rustler::Term<'a> {
            #(#kept)*
            #inner #block
            let decoded = crate::arguments::decoded(env, #is_dirty, |room| {
                _ = &room;
                Ok((#(#decoded,)*))
            });
            match decoded {
                Ok((#(#names,)*)) => ::rustler::Encoder::encode(&#body(#env #(#names),*), env),
                Err(refused) => refused,
            }
        }
    }
}

fn arguments(signature: &Signature) -> syn::Result<(bool, Vec<Argument>)> {
    let inputs: &Punctuated<FnArg, Token![,]> = &signature.inputs;
    let mut wants_env = false;
    let mut arguments = Vec::new();
    for (nth, input) in inputs.iter().enumerate() {
        let FnArg::Typed(typed) = input else {
            return Err(syn::Error::new_spanned(input, "a NIF has no self"));
        };
        if nth == 0 && is_named(&typed.ty, "Env") {
            wants_env = true;
            continue;
        }
        let Pat::Ident(pattern) = &*typed.pat else {
            return Err(syn::Error::new_spanned(&typed.pat, "an argument of a NIF is a name"));
        };
        arguments.push(Argument { name: pattern.ident.clone(), is_term: is_named(&typed.ty, "Term") });
    }
    Ok((wants_env, arguments))
}

fn is_named(ty: &Type, name: &str) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == name))
}
