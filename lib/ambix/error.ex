defmodule Ambix.Error do
  # The kinds, in the order of the native library's list, and what each means.
  @table [
    invalid_argument: "an argument has the wrong type or a value out of range",
    not_found: "what was asked for does not exist",
    io: "the operating system refused to read or write",
    corrupt: "data cannot be read: it is truncated, damaged or of another format",
    version: "data was written by a newer version than this one",
    outdated: "data was written by an older version, which is no more read: it has to be made anew",
    locked: "somebody else holds what is needed",
    limit: "a limit of size, depth, memory or number was reached",
    cancelled: "the caller, or the end of the owner, stopped the work",
    timeout: "the time that was given is over",
    model: "a model file does not hold a model that can be run",
    not_compiled: "this build does not contain the capability",
    unavailable: "a program, library or model that the work needs is not on this machine",
    sandbox: "the sandbox could not do its work",
    project: "the folder is not a project that can be worked on",
    panic: "a bug in Ambix: native code panicked, and the panic was caught"
  ]

  @moduledoc """
  The one error of the library: what went wrong, said in a sentence.

  Functions return `{:error, %Ambix.Error{}}`; those whose name ends in `!` raise it. `message` is for people, `kind`
  for code to match on, `details` holds what else is known, such as `:path`.

  | kind | meaning |
  | --- | --- |
  #{Enum.map_join(@table, "\n", fn {kind, meaning} -> "| `#{inspect(kind)}` | #{meaning} |" end)}
  """

  @kinds Keyword.keys(@table)

  @enforce_keys [:kind, :message]
  defexception [:kind, :message, details: %{}]

  @type kind :: unquote(Enum.reduce(Enum.reverse(@kinds), &{:|, [], [&1, &2]}))

  @type t :: %__MODULE__{kind: kind, message: String.t(), details: map}

  @doc "All kinds, in the order of the table above."
  @spec kinds() :: [kind]
  def kinds, do: @kinds

  @doc """
  Makes an error.

      iex> Ambix.Error.new(:not_found, "there is no such file").kind
      :not_found
  """
  @spec new(kind, String.t(), map) :: t
  def new(kind, message, details \\ %{}) when kind in @kinds and is_binary(message) and is_map(details) do
    %__MODULE__{kind: kind, message: message, details: details}
  end
end
