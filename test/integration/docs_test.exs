defmodule Ambix.Integration.DocsTest do
  # The documentation is whole: what is public is described and typed, and README says what is so.
  use ExUnit.Case, async: true

  @root Path.expand("../..", __DIR__)

  {:ok, modules} = :application.get_key(:ambix, :modules)

  public =
    for module <- modules,
        match?({:docs_v1, _, _, _, %{}, _, _}, Code.fetch_docs(module)),
        not (module.module_info(:compile)[:source] |> to_string() =~ "/test/support/"),
        do: module

  for module <- public do
    test "#{inspect(module)} is described and typed" do
      {:docs_v1, _, _, _, _, _, docs} = Code.fetch_docs(unquote(module))
      asked_for = callbacks(unquote(module))

      functions =
        for {{kind, name, arity}, _, _, doc, _} <- docs,
            kind in [:function, :macro],
            # What `use GenServer` defines, and what a behaviour asks for, is described and typed there.
            {name, arity} not in [{:child_spec, 1} | asked_for],
            do: {name, arity, doc}

      {:ok, specs} = Code.Typespec.fetch_specs(unquote(module))
      typed = for {name_and_arity, _} <- specs, do: name_and_arity
      assert [] == for({name, arity, :none} <- functions, do: {name, arity})
      assert [] == for({name, arity, %{}} <- functions, do: {name, arity}) -- typed
    end
  end

  test "README asks for the versions that the build files ask for" do
    readme = File.read!(Path.join(@root, "README.md"))
    [_, elixir] = Regex.run(~r/~> (\d+\.\d+)/, Mix.Project.config()[:elixir])
    [_, rust] = Regex.run(~r/rust-version = "([\d.]+)"/, File.read!(Path.join(@root, "Cargo.toml")))
    assert readme =~ "Elixir #{elixir} or newer"
    assert readme =~ "Rust #{rust} or newer"
  end

  test "README's modules exist" do
    readme = File.read!(Path.join(@root, "README.md"))

    for [name] <- Regex.scan(~r/\bAmbix(?:\.[A-Z]\w+)+/, readme) do
      assert Code.ensure_loaded?(Module.concat([name])), "README names #{name}, which does not exist"
    end

    for [_, name, function, arity] <- Regex.scan(~r/`(Ambix(?:\.[A-Z]\w+)*)\.([a-z_]+)\/(\d)`/, readme) do
      module = Module.concat([name])

      assert function_exported?(module, String.to_atom(function), String.to_integer(arity)),
             "#{name}.#{function}/#{arity}"
    end
  end

  defp callbacks(module) do
    for {:behaviour, behaviours} <- module.module_info(:attributes),
        behaviour <- behaviours,
        Code.ensure_loaded?(behaviour),
        callback <- behaviour.behaviour_info(:callbacks),
        do: callback
  end
end
