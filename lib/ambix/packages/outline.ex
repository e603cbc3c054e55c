defmodule Ambix.Packages.Outline do
  @moduledoc false
  # What compiled modules tell of themselves, as source code: heads of functions with their documentation. So what is only
  # installed, such as Elixir and Erlang/OTP, is read, searched and shown by the same means as the rest.

  alias Ambix.Quoted

  @doc "Writes the outlines of the modules of an application into `folder`, a file for each that has something to call."
  @spec write(Path.t(), Path.t()) :: :ok | {:error, {Path.t(), File.posix()}}
  def write(app_path, folder) do
    app_path
    |> beams()
    |> Task.async_stream(&write_one(&1, folder), ordered: false, timeout: :infinity)
    |> Enum.find(:ok, &match?({:ok, {:error, _}}, &1))
    |> case do
      {:ok, error} -> error
      :ok -> :ok
    end
  end

  @doc "The compiled modules of an application, in order."
  @spec beams(Path.t()) :: [Path.t()]
  def beams(app_path), do: [app_path, "ebin", "*.beam"] |> Path.join() |> Path.wildcard() |> Enum.sort()

  defp write_one(beam, folder) do
    case text(beam) do
      nil ->
        :ok

      text ->
        path = Path.join(folder, file_name(beam))
        with {:error, reason} <- File.write(path, text), do: {:error, {path, reason}}
    end
  end

  # One folder, for names of modules make no paths that all systems have: `Elixir.Enum.beam` gives `Enum.ex`.
  defp file_name(beam),
    do: beam |> Path.basename(".beam") |> String.replace_prefix("Elixir.", "") |> Kernel.<>(".ex")

  @doc "The outline of the module in a BEAM file; nil if it is hidden, no module, or has nothing to call."
  @spec text(Path.t()) :: String.t() | nil
  def text(beam) do
    with {:ok, {module, [exports: exports]}} <- :beam_lib.chunks(String.to_charlist(beam), [:exports]) do
      case Code.fetch_docs(beam) do
        {:docs_v1, _, _, _, :hidden, _, _} -> nil
        {:docs_v1, _, _, format, about, _, entries} -> documented(module, format, about, entries)
        {:error, _} -> bare(module, exports)
      end
    else
      _ -> nil
    end
  end

  defp documented(module, format, about, entries) do
    definitions =
      for {{kind, name, arity}, _, signature, doc, _} <- Enum.sort_by(entries, &place/1), doc != :hidden do
        [doc("doc", doc, format), head(kind, name, arity, signature)]
      end

    whole(module, [doc("moduledoc", about, format) | definitions])
  end

  # In the order of the source: that is how people have grouped them.
  defp place({{kind, name, arity}, anno, _, _, _}) do
    {if(kind in [:type, :opaque], do: 0, else: 1), :erl_anno.line(anno), name, arity}
  end

  defp bare(module, exports) do
    heads =
      for {name, arity} <- Enum.sort(exports), {name, arity} not in [module_info: 0, module_info: 1] do
        head(:function, name, arity, [])
      end

    if heads == [], do: nil, else: whole(module, heads)
  end

  defp whole(module, parts) do
    IO.iodata_to_binary(["defmodule #{inspect(module)} do\n", Enum.intersperse(parts, "\n"), "end\n"])
  end

  defp doc(_attribute, doc, _format) when not is_map(doc) or map_size(doc) == 0, do: []

  defp doc(attribute, doc, format) do
    {_language, text} = Enum.find(doc, hd(Map.to_list(doc)), &match?({"en", _}, &1))
    {open, text} = text |> plain(format) |> String.trim() |> quotable()
    ["  @", attribute, " ~S", open, "\n", indent(text), "  ", open, "\n"]
  end

  # The end of the documentation must not stand in it.
  defp quotable(text) do
    cond do
      not String.contains?(text, ~s(""")) -> {~s("""), text}
      not String.contains?(text, "'''") -> {"'''", text}
      true -> {~s("""), String.replace(text, ~s("""), "'''")}
    end
  end

  defp indent(text) do
    for line <- String.split(text, "\n") do
      if line == "", do: "\n", else: ["  ", line, "\n"]
    end
  end

  defp head(kind, name, arity, signature) when kind in [:function, :macro] do
    keyword = if kind == :macro, do: "defmacro", else: "def"
    ["  ", keyword, " ", call(name, arity, signature), "\n"]
  end

  defp head(kind, name, arity, _) when kind in [:callback, :macrocallback],
    do: ["  @", Atom.to_string(kind), " ", call(name, arity, []), " :: term\n"]

  defp head(kind, name, arity, _) when kind in [:type, :opaque],
    do: ["  @", Atom.to_string(kind), " ", call(name, arity, []), " :: term\n"]

  defp head(_kind, _name, _arity, _signature), do: []

  # Elixir writes heads down as they were; Erlang in its own syntax or not at all.
  defp call(name, arity, [signature | _]) when is_binary(signature) do
    case Quoted.parse(signature) do
      {:ok, {_, _, arguments}} when length(arguments) == arity ->
        if String.starts_with?(signature, "#{name}(") or Macro.operator?(name, arity),
          do: lower(signature),
          else: call(name, arity, [])

      _ ->
        call(name, arity, [])
    end
  end

  defp call(name, arity, _signature) do
    arguments = ["(", Enum.map_join(1..arity//1, ", ", &"arg#{&1}"), ")"]
    written = IO.iodata_to_binary([Atom.to_string(name), arguments])
    if nameable?(written), do: written, else: ["unquote(", inspect(name), ")", arguments]
  end

  # Words such as `end` and `fn`, and names with other characters, cannot be called as they are.
  defp nameable?(written) do
    case Quoted.parse(written) do
      {:ok, {name, _, arguments}} when is_list(arguments) -> is_binary(name)
      _ -> false
    end
  end

  # Variables of Erlang begin with a capital, which in Elixir would name modules.
  defp lower(signature) do
    if signature =~ ~r/^[a-z]\w*\([A-Z]/,
      do: Regex.replace(~r/\b[A-Z]\w*/, signature, &Macro.underscore/1),
      else: signature
  end

  defp plain(text, _format) when is_binary(text), do: text
  defp plain(tree, "application/erlang+html"), do: tree |> flat() |> IO.iodata_to_binary()
  defp plain(_other, _format), do: ""

  # The markup of Erlang's documentation, EEP 48: text, elements with attributes and content, and lists of these.
  defp flat(text) when is_binary(text), do: text
  defp flat(parts) when is_list(parts), do: Enum.map(parts, &flat/1)
  defp flat({:li, _, content}), do: ["\n  * ", flat(content)]
  defp flat({:code, _, content}), do: ["`", flat(content), "`"]
  defp flat({tag, _, content}) when tag in [:a, :em, :i, :b, :strong], do: flat(content)
  defp flat({_block, _, content}), do: ["\n\n", flat(content)]
end
