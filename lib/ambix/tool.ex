defmodule Ambix.Tool do
  @moduledoc """
  What a person, a program or a model asks of Ambix by name: one verb, described once.

  A tool is a module with the callbacks `tool/0`, its description, and `run/2`. The MCP server and agents of models call it by
  `call/3`, so that arguments are checked, crashes contained, and answers bounded in one place. Programs and command lines that show
  more than a model needs ask by `find/3` for what such an answer is made from:

      call = %Ambix.Tool.Call{host: host}
      {:ok, hits} = Ambix.Tool.find(Ambix.Tool.Relations, [relation: :callers, of: "Shop.Cart.add/2", kinds: [:call]], call)

  The fields of a description:

    * `name`: by which it is called
    * `title`: the name for people
    * `description`: when to use it and what it gives, for a model
    * `input`: its options, an `t:Ambix.Options.schema/0`
    * `further`: options of `find/3` besides those, or with wider limits; models are not told of them
    * `output`: a JSON Schema of the `data` of its answers, with strings as keys
    * `effect`: `:read`, `:run` (it runs code of the project, and writes nothing) or `:write` (it may write to the project)
    * `long`: whether it may take so long that its caller asks for the answer later
  """

  alias Ambix.{Contained, Error, Files, Options}
  alias Ambix.Sandbox.Text
  alias Ambix.Tool.{Answer, Call}

  @enforce_keys [:name, :title, :description, :input, :output]
  defstruct [:name, :title, :description, :input, :output, further: [], effect: :read, long: false]

  @type t :: %__MODULE__{
          name: String.t(),
          title: String.t(),
          description: String.t(),
          input: Options.schema(),
          further: Options.schema(),
          output: %{String.t() => term},
          effect: :read | :run | :write,
          long: boolean
        }

  @doc "The description of the tool."
  @callback tool() :: t

  @doc "Does what the tool is for. What it starts is to end with the process that it runs in: it is killed when it is cancelled."
  @callback run(args :: keyword, call :: Call.t()) :: {:ok, Answer.t()} | {:error, Error.t()}

  @doc """
  What `run/2` makes its answer from, as the functions of the library give it: nothing is left out for a budget, and what a model is not
  told is there too.
  """
  @callback find(options :: keyword, call :: Call.t()) :: {:ok, found :: term} | {:error, Error.t()}

  @optional_callbacks find: 2

  # The most that a timer takes: a tool has limits of its own.
  @forever_ms 0xFFFF_FFFF

  @doc "The tools that Ambix offers, in the order in which they are listed."
  @spec all() :: [module]
  def all do
    [
      Ambix.Tool.Search,
      Ambix.Tool.Read,
      Ambix.Tool.Relations,
      Ambix.Tool.Check,
      Ambix.Tool.RunTests,
      Ambix.Tool.Fix
    ]
  end

  # Clients show the first 2048 characters, and agents decide by the first 300.
  @instructions """
  Elixir and Erlang code. For where something is done, who calls what, or what a change breaks: search, relations and read first, grep \
  and whole files only for what these do not have. One answer replaces several greps and reads, and stays within a budget of tokens.

  - search: a behaviour in words, part of a name, a regular expression, or code with holes such as Repo.get!(_, _). For a literal string \
  grep is enough.
  - relations: callers, callees, references, implementations, the path between two functions, impact of a symbol, a file or the git \
  diff, and the tests that reach it. `rests` says what each tie is known from: compiler and source need no second look, guess does.
  - read: Mod.fun/arity, Mod, or path:10-40; outline or signatures first, whole bodies where you change them. Do not read a file again \
  that an answer has shown.
  - check: whether an edit compiles, with `change` before it is saved. run_tests: with `changed`, the tests that an edit reaches; \
  failures only. Do not run mix compile or mix test for these.
  - fix: searches for minutes for a patch of failing tests, and writes only with `apply`. Read the patch: passing is not being right.

  Name symbols, not lines: lines move. `deps: true` looks into dependencies, Elixir and OTP in the versions in use. `truncated` means that \
  there is more, and `next` says how to ask for it. An answer that is not fresh says so.
  """

  @doc "What a model is to know of the tools as a whole: which one to prefer, and how to read their answers."
  @spec instructions() :: String.t()
  def instructions, do: @instructions

  @doc """
  Runs a tool with the arguments of a decoded JSON object, in a process of its own, which ends with the caller.

  Whatever it raises, throws or exits with is an error of the kind `:panic` that names the place and no value.
  """
  @spec call(module, term, Call.t()) :: {:ok, Answer.t()} | {:error, Error.t()}
  def call(module, arguments, %Call{} = call) do
    with {:ok, args} <- arguments(module.tool(), arguments) do
      case Contained.run(fn -> checked(module.run(args, call)) end, @forever_ms) do
        {:ok, answer} -> answer
        {:crashed, how} -> {:error, Error.new(:panic, "the tool crashed: #{how}")}
        :timeout -> {:error, Error.new(:timeout, "the tool took too long")}
      end
    end
  end

  @doc """
  What the tool finds, for a program: the options are those of its description's `input` and `further`, with atoms as keys and values,
  but for `:skip`, which leafs through answers within a budget.

  `Ambix.Tool.Search`, `Ambix.Tool.Relations` and `Ambix.Tool.Fix` have it; of the others the data of `call/3` is all there is. It runs in the
  calling process, and bugs are raised there.
  """
  @spec find(module, keyword, Call.t()) :: {:ok, term} | {:error, Error.t()}
  def find(module, options, %Call{} = call) do
    tool = module.tool()

    schema = tool.input |> Keyword.merge(tool.further) |> Keyword.delete(:skip)

    with true <-
           function_exported?(module, :find, 2) ||
             {:error, "#{tool.name} finds nothing by itself; use call/3"},
         {:ok, options} <- Options.validate(options, schema) do
      module.find(options, call)
    else
      {:error, sentence} -> {:error, Error.new(:invalid_argument, sentence)}
    end
  end

  defp arguments(%__MODULE__{input: input}, arguments) do
    with {:error, sentence} <- Options.from_json(arguments, input),
         do: {:error, Error.new(:invalid_argument, sentence)}
  end

  defp checked({:ok, %Answer{data: data} = answer}) when is_map(data) do
    # Sources are other people's: bytes that are no UTF-8 would make the whole answer unwritable, and a client may print the text.
    {:ok, %{answer | text: answer.text |> IO.iodata_to_binary() |> Text.valid() |> Files.plain()}}
  end

  defp checked({:error, %Error{} = error}), do: {:error, error}
end
