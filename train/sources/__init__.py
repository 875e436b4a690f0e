"""What is downloaded or unpacked once: 3D models, speech, pretrained backbones."""
