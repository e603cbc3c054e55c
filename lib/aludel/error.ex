defmodule Aludel.Error do
  defexception [:kind, :message, details: %{}]
end
