defmodule Mix.Tasks.Ambix.Check do
  @shortdoc "Compiles a project in the sandbox, and prints errors and warnings"

  alias Ambix.{CLI, Contained, Options, Tool}
  alias Ambix.CLI.{Args, EditHook}
  alias Ambix.Tool.{Call, Change, Fit}

  @options Args.common([:root, :json]) ++
             Options.take(Options.of(Tool.Host, :start_link), [:allow_paths]) ++
             [
               hook: [
                 type: :boolean,
                 default: false,
                 doc: "check what a coding agent says on standard input that it has edited"
               ],
               seconds: [type: {:integer, 1..600}, default: 50, doc: "how long a hook may take"]
             ]

  @terminal_budget 20_000
  # An agent reads it after each edit.
  @hook_budget 600
  @most_bytes 4_000
  # The code by which a hook lets the agent read standard error.
  @speaks 2

  @moduledoc """
  Compiles the project of a folder in the sandbox, and prints what the compiler says. Nothing of the project is written.

      mix ambix.check [FILE ...] [--root DIR]

  With files, only the apps of an umbrella are compiled that these concern, and test files among them are compiled too. The exit
  code is 1 if something does not compile.

  With `--hook` it is a hook of Claude Code or Codex that runs after an edit: it reads the hook's JSON from standard input, and says
  nothing unless the project does not compile, the edited file has warnings, or a module of a deleted one is called. Then these are on standard error and the exit code is
  #{@speaks}, which is how the agent gets to read them. Where it cannot check, for lack of a project, of a sandbox or of time, it is
  silent too, and the exit code is 0.

  ## Options
  #{Args.docs(@options)}
  """

  use Mix.Task

  @impl Mix.Task
  def run(argv), do: CLI.main(argv, __MODULE__, @options, &check/2)

  defp check(files, opts) do
    root = Path.expand(opts[:root])

    cond do
      not opts[:hook] -> files(files, root, opts)
      files == [] -> hook(root, opts)
      true -> CLI.usage("mix ambix.check --hook takes no file: what was edited stands on standard input")
    end
  end

  defp files(files, root, opts) do
    with {:ok, texts} <- texts(files, root),
         {:ok, answer} <- compile(root, texts, opts) do
      if opts[:json], do: CLI.say_json(answer.data), else: CLI.say(answer.text)
      if answer.data.status == "errors", do: {:exit, 1}, else: :ok
    end
  end

  defp texts(files, root) do
    Enum.reduce_while(files, {:ok, %{}}, fn file, {:ok, texts} ->
      with {:ok, file} <- Tool.Paths.inside(root, file), {:ok, text} <- Change.original(root, file) do
        {:cont, {:ok, Map.put(texts, file, text)}}
      else
        error -> {:halt, error}
      end
    end)
  end

  defp compile(root, texts, opts) do
    arguments = if texts == %{}, do: %{}, else: %{"change" => texts}
    host = %{root: root, allow_paths: opts[:allow_paths]}
    Tool.call(Tool.Check, arguments, %Call{host: host, budget: @terminal_budget})
  end

  # An agent may name as much as it likes, so all of it has the time of the hook.
  defp hook(root, opts) do
    event = EditHook.read()

    case Contained.run(fn -> event |> EditHook.edited(root) |> said(root, opts) end, opts[:seconds] * 1000) do
      {:ok, said} when is_binary(said) ->
        CLI.remark(Fit.cut(said, @most_bytes))
        {:exit, @speaks}

      _ ->
        :ok
    end
  end

  defp said(texts, _root, _opts) when texts == %{}, do: nil
  defp said(texts, root, opts), do: EditHook.broken(texts) || wrong(root, texts, opts)

  # What does not compile, wherever it is, and what the compiler warns of in the files that were edited, or for one that is gone.
  defp wrong(root, texts, opts) do
    gone? = Enum.any?(texts, &match?({_, nil}, &1))
    texts = Map.new(texts, fn {path, text} -> {path, text || ""} end)

    with {:ok, answer} <- compile(root, texts, opts),
         found = Enum.filter(answer.data.diagnostics, &concerns?(&1, texts, gone?)),
         [_ | _] <- found do
      blocks = Enum.map(found, &Tool.Check.block/1)
      {text, count} = Fit.blocks("ambix check:", blocks, @hook_budget)
      left = length(found) - count
      if left > 0, do: "#{text}\nand #{left} more", else: text
    else
      _ -> nil
    end
  end

  # To call a module that is not there is a warning where it is called.
  defp concerns?(found, texts, gone?) do
    found.severity == "error" or is_map_key(texts, found.file) or
      (gone? and found.message =~ ~r/\(module \S+ is not available/)
  end
end
