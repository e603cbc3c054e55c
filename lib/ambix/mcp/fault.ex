defmodule Ambix.MCP.Fault do
  @moduledoc false
  # Faults of the protocol: errors of JSON-RPC. What goes wrong in a tool is none, but a result with `isError`.

  alias Ambix.MCP.Version

  # The status is that of an HTTP response whose only content is the fault.
  @enforce_keys [:code, :message]
  defstruct [:code, :message, data: nil, status: 200]

  @type t :: %__MODULE__{code: integer, message: String.t(), data: term, status: pos_integer}

  @spec parse(String.t()) :: t
  def parse(message), do: %__MODULE__{code: -32_700, message: message, status: 400}

  @spec invalid_request(String.t()) :: t
  def invalid_request(message), do: %__MODULE__{code: -32_600, message: message, status: 400}

  @spec unknown_method(String.t()) :: t
  def unknown_method(method),
    do: %__MODULE__{code: -32_601, message: "there is no method #{shown(method)}", status: 404}

  @spec invalid_params(String.t(), term) :: t
  def invalid_params(message, data \\ nil), do: %__MODULE__{code: -32_602, message: message, data: data}

  @doc "What a request of this revision has to say of itself is missing."
  @spec malformed(String.t()) :: t
  def malformed(message), do: %__MODULE__{code: -32_602, message: message, status: 400}

  @spec internal() :: t
  def internal,
    do: %__MODULE__{code: -32_603, message: "the server failed at this request, which is a bug in it"}

  @spec header_mismatch(String.t()) :: t
  def header_mismatch(message), do: %__MODULE__{code: -32_020, message: message, status: 400}

  @doc "`capabilities` is an object as clients declare them."
  @spec missing_capability(map) :: t
  def missing_capability(capabilities) do
    %__MODULE__{
      code: -32_021,
      message: "the client has to declare a capability for this: #{Enum.join(Map.keys(capabilities), ", ")}",
      data: %{"requiredCapabilities" => capabilities},
      status: 400
    }
  end

  @spec unsupported_version(term) :: t
  def unsupported_version(requested) do
    %__MODULE__{
      code: -32_022,
      message: "this version of the protocol is not supported",
      data: %{"supported" => Version.all(), "requested" => requested},
      status: 400
    }
  end

  # The specification keeps the codes of JSON-RPC's own range for itself, so these are outside of it.
  @spec busy(String.t()) :: t
  def busy(message), do: %__MODULE__{code: -31_001, message: message, status: 503}

  @doc "As it stands in a response."
  @spec to_map(t) :: map
  def to_map(%__MODULE__{data: nil} = fault), do: %{"code" => fault.code, "message" => fault.message}
  def to_map(fault), do: %{"code" => fault.code, "message" => fault.message, "data" => fault.data}

  defp shown(text), do: inspect(text, printable_limit: 60)
end
