defmodule Ambix.Sandbox.Result do
  @moduledoc """
  How a sandboxed program ended.

    * `:status` - `:exited` when it ended by itself, else what stopped it: `:wall_clock`, `:cpu`, `:memory`, `:files`, `:output` or `:cancelled`.
      It is what the host knows, and nothing that a program prints or exits with can pretend to it;
    * `:exit_status` - the program's exit status, `nil` when it was stopped. 128 and more is also what a signal gives that the host did not send: 139 is a segmentation fault, 134 a
      program that aborted, as a BEAM does that asks for more memory at once than there is. A program can exit with the same number;
    * `:output` - what it printed to standard output and standard error, valid UTF-8 (other bytes become U+FFFD), at most the limit `:output_kb`;
    * `:truncated` - whether it printed more than that;
    * `:microseconds` - wall clock from start to end.
  """

  @enforce_keys [:status, :exit_status, :output, :truncated, :microseconds]
  defstruct @enforce_keys

  @typedoc "`:not_started` never reaches a caller of `Ambix.Sandbox`, to whom it is an error."
  @type status :: :exited | :wall_clock | :cpu | :memory | :files | :output | :cancelled | :not_started

  @type t :: %__MODULE__{
          status: status(),
          exit_status: non_neg_integer() | nil,
          output: String.t(),
          truncated: boolean(),
          microseconds: non_neg_integer()
        }
end
