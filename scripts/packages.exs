# Writes the table of what much used packages define that is mostly imported: a line for each module, with its functions and
# macros, in the form of `scripts/std_lib.exs`.
#
#     elixir scripts/packages.exs crates/core/src/graph/build/packages.txt FOLDER ...
#
# Each folder holds the sources of a package. What the table holds already is kept, so that running it with several versions
# of a package gives what any of them has.

[path | folders] = System.argv()

modules = ~w(
  Absinthe.Resolution.Helpers Absinthe.Schema.Notation Ash.Expr Ash.Generator Ash.Test Assertions Bamboo.Email
  Bamboo.Formatter Bamboo.Phoenix Bamboo.Test Cachex.Spec Commanded.Assertions.EventAssertions Crontab.CronExpression
  Ecto Ecto.Changeset Ecto.Migration Ecto.Query Ecto.Query.API Ecto.Query.WindowAPI Ecto.Schema Ecto.Type ExMachina
  ExUnitProperties Explorer.Series Floki Flop.Phoenix Gettext.Macros Guardian.Plug Hammox Hound.Helpers.Cookie
  Hound.Helpers.Dialog Hound.Helpers.Element Hound.Helpers.Mouse Hound.Helpers.Navigation Hound.Helpers.Page
  Hound.Helpers.Screenshot Hound.Helpers.ScriptExecution Hound.Helpers.Session Hound.Helpers.Window Hound.Matchers
  Igniter.Test Meeseeks.CSS Meeseeks.XPath Mimic Mix.Ecto Mix.EctoSQL Mox NimbleParsec Norm Norm.Core Nx.Defn
  Nx.Defn.Kernel Oban.Testing Phoenix.Channel Phoenix.ChannelTest Phoenix.Component Phoenix.ConnTest
  Phoenix.Controller Phoenix.HTML Phoenix.HTML.Form Phoenix.LiveDashboard.PageBuilder Phoenix.LiveDashboard.Router
  Phoenix.LiveView Phoenix.LiveView.Helpers Phoenix.LiveView.Router Phoenix.LiveViewTest Phoenix.Router
  Phoenix.VerifiedRoutes PhoenixHTMLHelpers.Form PhoenixHTMLHelpers.Format PhoenixHTMLHelpers.Link
  PhoenixHTMLHelpers.Tag PhoenixTest PhoenixTest.Assertions Plug.BasicAuth Plug.Builder Plug.CSRFProtection Plug.Conn
  Plug.Router Plug.Test PolymorphicEmbed PolymorphicEmbed.HTML.Component PolymorphicEmbed.HTML.Form
  PolymorphicEmbed.HTML.Helpers PropCheck PropCheck.BasicTypes PropCheck.StateM Scenic.Components Scenic.Primitives
  StreamData Surface Surface.LiveViewTest SweetXml Swoosh.Email Swoosh.TestAssertions Telemetry.Metrics Tesla.Mock
  Tesla.Test Wallaby.Browser Wallaby.DSL Wallaby.Feature Wallaby.Query
)

# Macros that loops make, by what they loop over.
verbs = ~w(get post put patch delete options connect trace head)

made = %{
  "Phoenix.Router" => for(verb <- verbs, arity <- 3..4, do: "#{verb}/#{arity}!"),
  "Phoenix.ConnTest" => for(verb <- verbs, arity <- 2..3, do: "#{verb}/#{arity}!"),
  "Plug.Router" => for(verb <- verbs -- ["connect", "trace"], arity <- 2..3, do: "#{verb}/#{arity}!")
}

heads = fn
  {:when, _, [head | _]}, _ -> head
  head, _ -> head
end

defined = fn kind, head ->
  case heads.(head, nil) do
    {name, _, arguments} when is_atom(name) and name != :unquote ->
      arguments = if is_list(arguments), do: arguments, else: []
      defaults = Enum.count(arguments, &match?({:\\, _, _}, &1))
      mark = if kind in [:defmacro, :defguard], do: "!", else: ""
      count = length(arguments)

      if String.starts_with?(Atom.to_string(name), "__"),
        do: [],
        else: for(n <- (count - defaults)..count, do: "#{name}/#{n}#{mark}")

    _ ->
      []
  end
end

kinds = [:def, :defmacro, :defguard, :defdelegate, :defn, :deftransform]

collect = fn collect, ast, module, found ->
  case ast do
    {:defmodule, _, [{:__aliases__, _, parts}, [do: body]]} ->
      name = Enum.join(if(module, do: [module | parts], else: parts), ".")
      collect.(collect, body, name, found)

    {kind, _, [head | _]}
    when kind in [:def, :defmacro, :defguard, :defdelegate, :defn, :deftransform] and module != nil ->
      if kind in kinds and module in modules,
        do: Map.update(found, module, defined.(kind, head), &(defined.(kind, head) ++ &1)),
        else: found

    {:quote, _, _} ->
      found

    {_, _, arguments} when is_list(arguments) ->
      Enum.reduce(arguments, found, &collect.(collect, &1, module, &2))

    {left, right} ->
      collect.(collect, right, module, collect.(collect, left, module, found))

    list when is_list(list) ->
      Enum.reduce(list, found, &collect.(collect, &1, module, &2))

    _ ->
      found
  end
end

now =
  for folder <- folders, file <- Path.wildcard(folder <> "/**/lib/**/*.ex"), reduce: made do
    found ->
      case Code.string_to_quoted(File.read!(file)) do
        {:ok, ast} -> collect.(collect, ast, nil, found)
        {:error, _} -> found
      end
  end

before =
  case File.read(path) do
    {:ok, text} ->
      for line <- String.split(text, "\n", trim: true),
          [module | names] = String.split(line, " "),
          into: %{},
          do: {module, names}

    {:error, _} ->
      %{}
  end

lines =
  now
  |> Map.merge(before, fn _module, new, old -> new ++ old end)
  |> Enum.sort()
  |> Enum.map(fn {module, names} ->
    [module, " ", names |> Enum.uniq() |> Enum.sort() |> Enum.join(" "), "\n"]
  end)

File.write!(path, lines)
