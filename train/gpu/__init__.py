"""Both arms on a bare machine with a GPU and no network: pack here, train there, unpack here."""
