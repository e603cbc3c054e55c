defmodule Ambix.CLI.Graph.Output do
  @moduledoc false
  # What `mix ambix.graph` gives to other programs: exports and pictures.

  import Ambix.CLI.Graph, only: [open: 1, own: 2]

  alias Ambix.{CLI, Error, Graph, Index}
  alias Ambix.CLI.{Files, Progress, Table}
  alias Ambix.Graph.Trace

  @spec export(keyword) :: :ok | {:error, Error.t()}
  def export(opts) do
    format = opts[:format] || :edges

    cond do
      format == :edges and (opts[:around] || opts[:kinds]) ->
        CLI.usage(
          "--format edges exports every call; for --around and --kinds choose another format, such as --format dot"
        )

      format == :edges ->
        calls(opts)

      opts[:trace] ->
        CLI.usage("--trace exports the calls that the compiler sees, which is --format edges")

      true ->
        options = Keyword.drop(own(:export, opts), [:out, :trace])
        with {:ok, index} <- open(opts), {:ok, text} <- Graph.export(index, options), do: put(text, opts)
    end
  end

  @doc "A picture of the modules of a project, or of what is tied to a symbol."
  @spec svg(String.t() | nil, keyword) :: :ok | {:error, Error.t()}
  def svg(symbol, opts) do
    options = [around: symbol] ++ Keyword.delete(own(:svg, opts), :out)
    with {:ok, index} <- open(opts), {:ok, text} <- Graph.svg(index, options), do: put(text, opts)
  end

  @doc "Writes the picture and the graph of an answer, where `--svg` and `--dot` name files for them."
  @spec drawn(Index.t(), keyword, keyword) :: :ok | {:error, Error.t()}
  def drawn(index, part, opts) do
    draw = fn index -> Graph.svg(index, part ++ Keyword.take(opts, [:max_nodes])) end

    with :ok <- file(opts[:svg], index, draw),
         do: file(opts[:dot], index, &Graph.export(&1, [format: :dot] ++ part))
  end

  defp file(nil, _index, _make), do: :ok

  defp file(path, index, make) do
    with {:ok, text} <- make.(index),
         :ok <- Files.write_text(path, text),
         do: CLI.remark("written to #{path}")
  end

  # A text goes where it is to go.
  defp put(text, opts) do
    case {opts[:out], opts[:json]} do
      {nil, true} ->
        CLI.say_json(%{text: text})

      {nil, false} ->
        IO.write(text)

      {out, json} ->
        with :ok <- Files.write_text(out, text) do
          if json,
            do: CLI.say_json(%{bytes: byte_size(text), out: out}),
            else: CLI.say("#{Table.bytes(byte_size(text))} in #{out}")
        end
    end
  end

  defp calls(opts) do
    with {:ok, edges} <- edges(opts) do
      lines =
        for {caller_module, caller_fun, caller_arity, callee_module, callee_fun, callee_arity} <- edges do
          %{
            caller_module: caller_module,
            caller_fun: caller_fun,
            caller_arity: caller_arity,
            callee_module: callee_module,
            callee_fun: callee_fun,
            callee_arity: callee_arity
          }
        end

      case opts[:out] do
        nil ->
          Enum.each(lines, &CLI.say_json/1)

        out ->
          with :ok <- Files.write_lines(out, lines) do
            if opts[:json],
              do: CLI.say_json(%{edges: length(lines), out: out}),
              else: CLI.say("#{Table.number(length(lines))} edges in #{out}")
          end
      end
    end
  end

  defp edges(opts) do
    if opts[:trace] do
      Progress.run([quiet: opts[:quiet]], fn progress ->
        progress.(%{phase: :compiling, done: 0, total: nil})
        Trace.edges(opts[:root])
      end)
    else
      with {:ok, index} <- open(opts), do: Graph.edges(index)
    end
  end
end
