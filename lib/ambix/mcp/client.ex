defmodule Ambix.MCP.Client do
  @moduledoc false
  # Who asks, as a request tells it. A modern request says its version and what its client can do in `_meta`; a legacy one relies on the
  # handshake of its connection. Which of both it is, each request decides for itself.

  alias Ambix.MCP.{Fault, Frame, Version}

  @prefix "io.modelcontextprotocol/"
  @version @prefix <> "protocolVersion"
  @capabilities @prefix <> "clientCapabilities"
  @log_level @prefix <> "logLevel"
  @tasks @prefix <> "tasks"
  @levels ~w(debug info notice warning error critical alert emergency)

  @enforce_keys [:era, :version]
  defstruct [:era, :version, capabilities: %{}, log_level: nil, progress_token: nil]

  @type t :: %__MODULE__{
          era: :modern | :legacy,
          version: String.t(),
          capabilities: map,
          log_level: String.t() | nil,
          progress_token: Frame.id() | nil
        }

  @doc """
  Who makes a request with these parameters. `session` is what the handshake of the connection agreed on, or nil.
  """
  @spec read(String.t(), map, t | nil) :: {:ok, t} | {:error, Fault.t()}
  def read(method, params, session) do
    meta = Map.get(params, "_meta", %{})

    cond do
      not is_map(meta) -> {:error, Fault.malformed("_meta must be an object")}
      Map.has_key?(meta, @version) -> modern(meta)
      session != nil -> {:ok, %{session | progress_token: token(meta)}}
      # Before a handshake nothing else is allowed.
      method in ["initialize", "ping"] -> {:ok, legacy(nil, %{})}
      true -> {:error, missing(@version)}
    end
  end

  @doc "Whether the parameters are those of a modern request, whatever else is wrong with them."
  @spec modern?(map) :: boolean
  def modern?(params),
    do: is_map_key(params, "_meta") and is_map(params["_meta"]) and is_map_key(params["_meta"], @version)

  @doc "The version that a modern request says."
  @spec version(map) :: term
  def version(params), do: params["_meta"][@version]

  @doc "The client of a legacy connection."
  @spec legacy(term, map) :: t
  def legacy(version, capabilities) do
    %__MODULE__{era: :legacy, version: Version.agreed(version), capabilities: capabilities, log_level: "info"}
  end

  @doc "Whether a capability is declared, such as `\"sampling\"`."
  @spec can?(t, String.t()) :: boolean
  def can?(client, capability), do: is_map(client.capabilities[capability])

  @doc "Whether answers may be tasks to ask for later."
  @spec tasks?(t) :: boolean
  def tasks?(%{era: :modern, capabilities: %{"extensions" => %{@tasks => %{}}}}), do: true
  def tasks?(_client), do: false

  @doc "The fault for one that cannot do with tasks."
  @spec no_tasks() :: Fault.t()
  def no_tasks, do: Fault.missing_capability(%{"extensions" => %{@tasks => %{}}})

  @doc "The key of a field of `_meta`, and of an extension."
  @spec key(String.t()) :: String.t()
  def key(name), do: @prefix <> name

  @doc "Whether it is a level of a log."
  @spec level?(term) :: boolean
  def level?(level), do: level in @levels

  @doc "Whether the client wants to read of events of this level."
  @spec hears?(t, String.t()) :: boolean
  def hears?(%{log_level: nil}, _level), do: false
  def hears?(client, level), do: rank(level) >= rank(client.log_level)

  defp rank(level), do: Enum.find_index(@levels, &(&1 == level))

  defp modern(%{@version => version} = meta) do
    cond do
      not is_binary(version) ->
        {:error, Fault.malformed("#{@version} must be a string")}

      not Version.modern?(version) ->
        {:error, Fault.unsupported_version(version)}

      not is_map(meta[@capabilities]) ->
        {:error, missing(@capabilities)}

      meta[@log_level] != nil and not level?(meta[@log_level]) ->
        {:error, Fault.malformed("#{@log_level} must be one of #{Enum.join(@levels, ", ")}")}

      true ->
        {:ok,
         %__MODULE__{
           era: :modern,
           version: version,
           capabilities: meta[@capabilities],
           log_level: meta[@log_level],
           progress_token: token(meta)
         }}
    end
  end

  defp token(meta), do: if(Frame.id?(meta["progressToken"]), do: meta["progressToken"])

  defp missing(key), do: Fault.malformed("params._meta must have #{key}, or `initialize` must come first")
end
