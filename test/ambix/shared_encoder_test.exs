defmodule Ambix.SharedEncoderTest do
  # Counts what lives in the whole VM, so nothing else may load models meanwhile.
  use ExUnit.Case, async: false

  alias Ambix.{Model, Models, Native}

  @moduletag skip: Ambix.Test.Needs.model("all-MiniLM-L6-v2")

  test "all processes of the node share one encoder" do
    {:ok, folder} = Models.path("all-MiniLM-L6-v2")
    load = fn -> Model.load_encoder(folder, precision: :int8, threads: 1) end
    {:ok, first} = load.()
    before = Native.live_resources().models

    handles = 1..8 |> Enum.map(fn _ -> Task.async(load) end) |> Task.await_many(60_000)
    assert Enum.all?(handles, &match?({:ok, %Model.Encoder{}}, &1))
    # Not more than before; what earlier tests held may have gone.
    assert Native.live_resources().models <= before
    for {:ok, encoder} <- handles, do: assert({:ok, [_]} = Model.embed(encoder, ["here"]))
    assert {:ok, [_]} = Model.embed(first, ["and there"])

    {:ok, other} = Model.load_encoder(folder, precision: :fp32, threads: 1)
    assert {:ok, [floats]} = Model.embed(other, ["here"])
    assert {:ok, [bytes]} = Model.embed(first, ["here"])
    assert floats != bytes
  end
end
