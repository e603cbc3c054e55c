defmodule Ambix.MCP.Call do
  @moduledoc """
  One call of a feature of an MCP server: who asks, and what is known of earlier rounds.

    * `client`: who asks
    * `progress`: a function that gets `%{phase, done, total}`, or nil where nobody waits for it
    * `log`: a function that gets a level and a term that JSON can say
    * `responses`: what the client answered to the questions of the round before, by their keys
    * `state`: what the feature gave with these questions, or nil
  """

  defstruct [:client, :state, progress: nil, log: nil, responses: %{}]

  @type t :: %__MODULE__{
          client: Ambix.MCP.Client.t(),
          state: term,
          progress: (Ambix.Tool.Call.progress() -> any) | nil,
          log: (String.t(), term -> any) | nil,
          responses: %{String.t() => map}
        }

  @typedoc """
  What comes of a call: a result, questions to the client (requests by keys that the feature chooses, and a state that JSON can say,
  which comes back with the responses), a fault of the protocol, or work that goes on as a task if the client knows tasks.
  """
  @type outcome ::
          {:result, map}
          | {:input, %{String.t() => map}, state :: term}
          | {:fault, Ambix.MCP.Fault.t()}
          | {:task, (t -> outcome)}
end

defmodule Ambix.MCP.Tools do
  @moduledoc false
  # Tools as the protocol has them. `Ambix.MCP.ToolModules` offers those of `Ambix.Tool`.

  alias Ambix.MCP.Call

  @doc "Definitions as in the answer to `tools/list`, in a fixed order."
  @callback list(term) :: [map]

  @callback call(name :: String.t(), arguments :: map, Call.t(), term) :: Call.outcome()
end

defmodule Ambix.MCP.Resources do
  @moduledoc """
  What a host shows of itself as resources of an MCP server: `{module, term}` is given as `:resources` of `Ambix.MCP`, and the term
  to each callback. All maps have strings as keys, as the protocol names them.
  """

  alias Ambix.MCP.Call

  @doc "Resources, each with `uri` and `name`."
  @callback list(term) :: [map]

  @doc "Templates, each with `uriTemplate` and `name`."
  @callback templates(term) :: [map]

  @doc "`{:result, %{\"contents\" => […]}}`, or `:unknown` where there is no such resource."
  @callback read(uri :: String.t(), Call.t(), term) :: Call.outcome() | :unknown
end

defmodule Ambix.MCP.Prompts do
  @moduledoc """
  Prompts that a host offers by an MCP server: `{module, term}` is given as `:prompts` of `Ambix.MCP`. See `Ambix.MCP.Resources`.
  """

  alias Ambix.MCP.Call

  @doc "Prompts, each with a `name`."
  @callback list(term) :: [map]

  @doc "`{:result, %{\"messages\" => […]}}`, or `:unknown` where there is no such prompt."
  @callback get(name :: String.t(), arguments :: map, Call.t(), term) :: Call.outcome() | :unknown

  @doc "Values that an argument may have: `{:result, %{\"completion\" => …}}`."
  @callback complete(reference :: map, argument :: map, Call.t(), term) :: Call.outcome()
end
