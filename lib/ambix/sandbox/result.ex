defmodule Ambix.Sandbox.Result do
  @moduledoc """
  How a sandboxed program ended.

    * `:status` - `:exited` when it ended by itself, else what stopped it: `:wall_clock`, `:cpu`, `:memory`, `:output`, `:signal` or `:cancelled`;
    * `:exit_status` - the program's exit status (128 plus the number of the signal that ended it), `nil` when the host killed it;
    * `:output` - what it printed to standard output and standard error, valid UTF-8 (other bytes become U+FFFD), at most the limit `:output_kb`;
    * `:truncated` - whether it printed more than that;
    * `:microseconds` - wall clock from start to end.
  """

  @enforce_keys [:status, :exit_status, :output, :truncated, :microseconds]
  defstruct @enforce_keys

  @type status :: :exited | :wall_clock | :cpu | :memory | :output | :signal | :cancelled

  @type t :: %__MODULE__{
          status: status(),
          exit_status: non_neg_integer() | nil,
          output: String.t(),
          truncated: boolean(),
          microseconds: non_neg_integer()
        }
end
