defmodule Ambix.Fix.TargetTest do
  use ExUnit.Case, async: true

  doctest Ambix.Fix.Target
end
